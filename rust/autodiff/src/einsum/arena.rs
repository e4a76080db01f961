//! How what a listing makes is laid out, and where in the workspace it lies.

use tensoroxide_contract::{Label, Settings};
use tensoroxide_tensor::Layout;

use super::listing::{Instruction, Listing, Slot};
use super::program::{Kernel, Merged};
use crate::Error;

/// Tensors start at multiples of so many elements: a cache line of the smallest type.
const ALIGNMENT: usize = 16;

/// The place of every tensor that a listing makes.
#[derive(Debug)]
pub(super) struct Arena {
    /// Of the made tensors from the first on: the layout, which is dense, and the first element.
    pub(super) places: Vec<(Layout, usize)>,
    /// Elements that all of them take.
    pub(super) elements: usize,
}

/// Gives the cotangents that the listing makes, which are the tensors from `first` on, the order of axes in which what
/// makes and reads them is expected to take the least time. The other axes are as the plan chose them.
pub(super) fn order_axes(
    listing: &mut Listing,
    first: Slot,
    extents: &[usize],
    settings: Settings,
) -> Result<(), Error> {
    let mut uses: Vec<Vec<Instruction>> = vec![Vec::new(); listing.labels.len()];
    for instruction in &listing.instructions {
        instruction.reads().chain([instruction.to]).for_each(|slot| uses[slot].push(*instruction));
    }
    for (slot, uses) in uses.iter().enumerate().skip(first) {
        let Some(Instruction { a, b: Some(b), .. }) = uses.iter().find(|made| made.to == slot).copied() else {
            continue;
        };
        let given = listing.labels[slot].clone();
        let free = |x: Slot, y: Slot| -> Vec<Label> {
            let of_both = |label: &Label| listing.labels[x].contains(label) && !listing.labels[y].contains(label);
            listing.labels[x].iter().copied().filter(|label| given.contains(label) && of_both(label)).collect()
        };
        let (rows, columns) = (free(a.0, b.0), free(b.0, a.0));
        let batch: Vec<Label> =
            given.iter().copied().filter(|label| !rows.contains(label) && !columns.contains(label)).collect();
        let mut orders = vec![given.clone()];
        orders.extend([[&rows[..], &columns, &batch].concat(), [&columns[..], &rows, &batch].concat()]);
        orders.retain(|order| order.len() == given.len());
        let mut best = (f64::INFINITY, given);
        for order in orders {
            listing.labels[slot] = order;
            let time = |instruction: &Instruction| -> Result<f64, Error> {
                let merged =
                    |slot: Slot| Ok::<_, Error>(Merged::new(&listing.labels[slot], &dense(listing, slot, extents)?));
                let b = instruction.b.map(|(slot, _)| merged(slot)).transpose()?;
                Ok(Kernel::new(merged(instruction.a.0)?, b, &merged(instruction.to)?, settings)?.time())
            };
            let times = uses.iter().map(time).sum::<Result<f64, Error>>()?;
            if times < best.0 {
                best = (times, listing.labels[slot].clone());
            }
        }
        listing.labels[slot] = best.1;
    }
    Ok(())
}

fn dense(listing: &Listing, slot: Slot, extents: &[usize]) -> Result<Layout, Error> {
    let shape: Vec<usize> = listing.labels[slot].iter().map(|&label| extents[label as usize]).collect();
    Ok(Layout::column_major(&shape)?)
}

impl Arena {
    /// Places what is made. Tensors share memory if the one is read last before the other is made, but for those that
    /// the first `keep` instructions make: they stay to the end, and after it.
    pub(super) fn new(listing: &Listing, keep: usize, extents: &[usize]) -> Result<Arena, Error> {
        let givens = listing.givens();
        let mut last = vec![0; listing.labels.len()];
        for (i, instruction) in listing.instructions.iter().enumerate() {
            instruction.reads().chain([instruction.to]).for_each(|slot| last[slot] = i);
        }
        let places = (givens..listing.labels.len()).map(|slot| Ok((dense(listing, slot, extents)?, usize::MAX)));
        let mut places = places.collect::<Result<Vec<(Layout, usize)>, Error>>()?;
        let size = |layout: &Layout| layout.len().next_multiple_of(ALIGNMENT);
        let mut kept = 0usize;
        for instruction in &listing.instructions[..keep] {
            if let Some((layout, start)) = instruction.to.checked_sub(givens).map(|made| &mut places[made]) {
                *start = kept;
                kept = kept.saturating_add(size(layout));
            }
        }
        // Behind them, each into the first gap among those that are alive: start, end, last use.
        let (mut alive, mut elements) = (Vec::<(usize, usize, usize)>::new(), kept);
        for (i, instruction) in listing.instructions.iter().enumerate() {
            let Some((layout, start)) = instruction.to.checked_sub(givens).map(|made| &mut places[made]) else {
                continue;
            };
            if *start != usize::MAX {
                continue;
            }
            alive.retain(|&(_, _, last)| last >= i);
            let size = size(layout);
            let (mut at, mut position) = (kept, 0);
            while position < alive.len() && alive[position].0 - at < size {
                at = alive[position].1;
                position += 1;
            }
            *start = at;
            elements = elements.max(at.saturating_add(size));
            alive.insert(position, (at, at.saturating_add(size), last[instruction.to]));
        }
        Ok(Arena { places, elements })
    }
}
