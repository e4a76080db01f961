//! Messages of all ranks with all, and sums over the ranks.

use tensoroxide_dense::Element;
use tensoroxide_tensor::Buffer;

use crate::bytes::{from_bytes, to_bytes};
use crate::group::Group;
use crate::Error;

const PART: u32 = 32;

/// Sends to each other rank what `make` has for it, and gives what comes from each to `take`: in rounds, so that one
/// message is on its way in each direction. `step` tells the exchanges of a call apart.
pub(crate) fn exchange(
    group: &mut Group,
    step: u64,
    mut make: impl FnMut(&mut Group, usize) -> Result<Vec<u8>, Error>,
    mut take: impl FnMut(usize, Vec<u8>) -> Result<(), Error>,
) -> Result<(), Error> {
    let (rank, size) = (group.rank(), group.size());
    for round in 1..size {
        let (to, from) = ((rank + round) % size, (rank + size - round) % size);
        let data = make(group, to)?;
        group.send(to, PART, [step, 0], data)?;
        let message =
            group.wait_for(|message| message.kind == PART && message.from == from && message.args[0] == step)?;
        take(from, message.data)?;
        group.flush()?;
    }
    Ok(())
}

/// Adds up what the ranks have, in the order of the ranks: all of them get the same bits.
pub(crate) fn add_up<T: Element>(group: &mut Group, step: u64, elements: &mut [T]) -> Result<(), Error> {
    let (rank, size) = (group.rank(), group.size());
    let n = elements.len();
    let range = |r: usize| n * r / size..n * (r + 1) / size;
    // Every rank adds up a range of the elements, and then all ranges go to all.
    let own = range(rank);
    let mut parts: Vec<Option<Buffer<T>>> = (0..size).map(|_| None).collect();
    exchange(
        group,
        2 * step,
        |_, to| to_bytes(&elements[range(to)]),
        |from, data| {
            let mut part = Buffer::zeroed(own.len())?;
            from_bytes(&data, &mut part)?;
            parts[from] = Some(part);
            Ok(())
        },
    )?;
    let mut sum = Buffer::zeroed(own.len())?;
    for part in &parts {
        let part: &[T] = part.as_deref().unwrap_or(&elements[own.clone()]);
        sum.iter_mut().zip(part).for_each(|(s, &p)| *s += p);
    }
    elements[own].copy_from_slice(&sum);
    let mut ranges = Vec::with_capacity(size);
    exchange(
        group,
        2 * step + 1,
        |_, _| to_bytes(&sum),
        |from, data| {
            ranges.push((from, data));
            Ok(())
        },
    )?;
    ranges.into_iter().try_for_each(|(from, data)| from_bytes(&data, &mut elements[range(from)]))
}

/// Adds up a few numbers of each rank, in the order of the ranks: all of them get the same bits. All ranks make this
/// call together.
///
/// # Errors
/// As [`Group::call`].
pub fn sum<T: Element>(group: &mut Group, elements: &mut [T]) -> Result<(), Error> {
    let ready = Ok(crate::bytes::fingerprint(&format!("sum {} {}", elements.len(), T::DTYPE)));
    group.call(ready, |group| add_up(group, 0, elements))
}
