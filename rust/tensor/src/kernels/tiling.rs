//! How a loop nest over two tensors is cut into tiles that read and write whole cache lines. Prepared once, run often.
//!
//! Two neighbourhoods count: the loops that walk C without a gap from its unit stride on (`down`), and those that walk
//! A so (`across`). Neither needs to be one loop: of a tensor with sixteen short axes each takes as many as fill a few
//! cache lines. A tile is the product of both. Its rows are the stretches that lie together in C; a stretch of A
//! crosses them, and in between the transposition happens in registers. A loop that belongs to both neighbourhoods runs
//! within the tile, around the transpositions of what is left. What lies together in both tensors is one unit, moved as
//! a whole.
//!
//! All offsets are in bytes, and those within a tile lie in tables, so that one kernel serves every shape. A loop of
//! which a tile takes only a part leaves an edge behind: a second set of tables. At most two loops are cut so.

use super::transpose::Kernel;
use crate::nest::Loop;
use crate::simd::Isa;

/// Bytes that a tile should have side by side in C: enough to be written past the caches, a few lines at a time.
const DOWN: usize = 512;
/// Bytes that a tile should have side by side in A.
const ACROSS: usize = 512;
/// Bytes of C that are walked over before A is walked on.
const WALK: usize = 1 << 16;
/// Bytes of a unit from which on it is a row of its own: tiles bring nothing when whole lines lie together in both
/// tensors.
const ROW: usize = 256;
/// Bytes of a piece of a long row: it stays near while others are added to it, and there are pieces for every thread.
const PIECE: usize = 1 << 15;
/// Units of a tile along a loop that is no neighbourhood: a few, for what the tables save.
const FEW: usize = 16;

/// A loop over tiles.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    pub(super) extent: usize,
    /// Bytes that C and A are moved by.
    pub(super) strides: [isize; 2],
    /// The bit of the edge that the last step is; 0 for none.
    pub(super) edge: usize,
}

/// A nest cut into tiles.
#[derive(Clone, Debug)]
pub(super) struct Tiling {
    /// Where the first element lies when every loop runs upwards; bytes in C and A.
    pub(super) start: [isize; 2],
    /// Loops over tiles, innermost first.
    pub(super) steps: Vec<Step>,
    /// How many of the innermost loops do not move C.
    pub(super) sums: usize,
    /// Whether no loop moves C: all is summed into one element.
    pub(super) single: bool,
    /// Elements that the nest visits (saturating).
    pub(super) volume: usize,
    /// The registers that the kernels use.
    pub(super) isa: Isa,
    /// Whether C is so large that it is written past the caches.
    pub(super) streams: bool,
    pub(super) form: Form,
}

/// What is done at each step.
#[derive(Clone, Debug)]
pub(super) enum Form {
    /// Nothing: a loop has no steps.
    Nothing,
    /// A stretch that lies together in both tensors: its bytes, whole and at the edge.
    Rows([usize; 2]),
    /// A stretch of A that is summed into one element: its bytes, whole and at the edge.
    Sums([usize; 2]),
    /// Tiles: whole, at the edge of the loop that is cut in C, at that of A, at both.
    Tiles([Option<Box<Tile>>; 4]),
}

/// Bytes of C from which on it is written past the caches, which it would not stay in.
pub(super) const STREAM: usize = 16 << 20;

/// The offsets within a tile. A rectangle of `down` × `across` units is transposed for each of `inner`.
#[derive(Clone, Debug)]
pub(super) struct Tile {
    pub(super) kernel: Kernel,
    /// Bytes of a unit.
    pub(super) unit: usize,
    /// Whether units next to each other across lie next to each other in A.
    pub(super) contiguous: bool,
    /// Whether units next to each other down lie next to each other in C, so that there are rows.
    pub(super) dense: bool,
    /// Of the units down: in A, in C.
    pub(super) a_down: Box<[isize]>,
    pub(super) c_down: Box<[isize]>,
    /// Of the units across: in A, in C, in the buffer.
    pub(super) a_across: Box<[isize]>,
    pub(super) c_across: Box<[isize]>,
    pub(super) b_across: Box<[isize]>,
    /// Of the rectangles: in C, in A, in the buffer.
    pub(super) inner: Box<[[isize; 3]]>,
    /// Of the rows, in C; each has `row` bytes, and `pitch` from one to the next in the buffer.
    pub(super) rows: Box<[isize]>,
    pub(super) row: usize,
    pub(super) pitch: usize,
    /// Of the cache lines in A: what is to be fetched ahead.
    pub(super) lines: Box<[isize]>,
}

/// Bytes of the buffer for the rows of a tile. A tile that does not fit, of odd sizes, goes without.
pub(super) const BUFFER: usize = 1 << 17;
/// Units of a tile each way.
const MOST_UNITS: usize = 128;

/// A loop, or the part of it, that belongs to a tile.
#[derive(Clone, Copy, Debug)]
struct Part {
    /// Which loop.
    of: usize,
    /// Steps within a tile.
    extent: usize,
}

impl Tiling {
    /// Cuts up the loops over C and A, for elements of `size` bytes. From `stream` bytes on, C is written past the
    /// caches.
    pub(super) fn new(loops: &[Loop<2>], size: usize, isa: Isa, stream: usize) -> Tiling {
        let form = Form::Nothing;
        let nothing =
            Tiling { start: [0; 2], steps: Vec::new(), sums: 0, single: false, volume: 0, form, isa, streams: false };
        if loops.iter().any(|l| l.extent == 0) {
            return nothing;
        }
        let (mut loops, start) = upwards(loops, size);
        let volume = loops.iter().fold(1usize, |n, l| n.saturating_mul(l.extent));
        let written = loops.iter().filter(|l| l.strides[0] != 0).fold(size, |n, l| n.saturating_mul(l.extent));
        let single = loops.iter().all(|l| l.strides[0] == 0);
        let nothing = Tiling { start, single, volume, streams: written >= stream, ..nothing };
        let bytes = size as isize;
        let mut unit = size;
        if let Some(shared) = loops.iter().position(|l| l.strides == [bytes, bytes]) {
            let row = size.saturating_mul(loops[shared].extent);
            if row >= ROW || loops.len() == 1 {
                return nothing.stretches(loops, shared, size, Form::Rows);
            }
            loops.remove(shared);
            unit = row;
        } else if let Some(summed) = loops.iter().position(|l| l.strides == [0, bytes]) {
            if size.saturating_mul(loops[summed].extent) >= ROW || loops.len() == 1 {
                return nothing.stretches(loops, summed, size, Form::Sums);
            }
        }
        if loops.is_empty() {
            return Tiling { form: Form::Rows([unit; 2]), ..nothing };
        }
        nothing.tiles(loops, unit)
    }

    /// The form of a loop that is walked in stretches.
    fn stretches(self, mut loops: Vec<Loop<2>>, along: usize, size: usize, form: fn([usize; 2]) -> Form) -> Tiling {
        let whole = loops.remove(along);
        let piece = whole.extent.min((PIECE / size).max(1));
        let last = whole.extent - (whole.extent - 1) / piece * piece;
        let mut steps = outer(&loops, &[]);
        if piece < whole.extent {
            let strides = whole.strides.map(|stride| stride * piece as isize);
            steps.push(Step { extent: whole.extent.div_ceil(piece), strides, edge: usize::from(last < piece) });
        }
        let mut tiling = Tiling { form: form([piece * size, last * size]), ..self };
        tiling.set_steps(steps);
        tiling
    }

    fn set_steps(&mut self, mut steps: Vec<Step>) {
        // What does not move C comes first, so that C stays near. Then C is walked for a few pages, then A.
        steps.sort_by_key(|s| {
            let [c, a] = s.strides.map(isize::unsigned_abs);
            let near = c.saturating_mul(s.extent) <= WALK;
            (c != 0, !near, if near { c } else { a })
        });
        self.sums = steps.iter().take_while(|s| s.strides[0] == 0).count();
        self.steps = steps;
    }

    fn tiles(mut self, mut loops: Vec<Loop<2>>, unit: usize) -> Tiling {
        let down = neighbourhood(&loops, 0, unit, DOWN.min(MOST_UNITS * unit), &[]);
        let dense = !down.is_empty() || unit >= 32;
        let down = if dense { down } else { nearest(&loops, 0, &[]) };
        let across = neighbourhood(&loops, 1, unit, ACROSS.min(MOST_UNITS * unit), &down);
        let contiguous = !across.is_empty();
        for p in &across {
            let l = &mut loops[p.of];
            if l.strides[1] < 0 {
                for t in 0..2 {
                    self.start[t] += l.strides[t] * (l.extent as isize - 1);
                    l.strides[t] = -l.strides[t];
                }
            }
        }
        let across = if contiguous { across } else { nearest(&loops, 1, &down) };
        let parts = |down: &[Part], across: &[Part]| -> Vec<Part> {
            let of = |p: &Part| down.iter().all(|d| d.of != p.of);
            down.iter().chain(across.iter().filter(|p| of(p))).copied().collect()
        };
        let cut = |p: &Part| p.extent < loops[p.of].extent;
        let all = parts(&down, &across);
        let mut steps = outer(&loops, &all);
        let mut edges = [false; 2];
        for p in all.iter().filter(|p| cut(p)) {
            let whole = loops[p.of];
            let rest = whole.extent % p.extent;
            let edge = if down.iter().any(|d| d.of == p.of) { 1 } else { 2 };
            edges[edge - 1] |= rest > 0;
            let strides = whole.strides.map(|stride| stride * p.extent as isize);
            let edge = if rest > 0 { edge } else { 0 };
            steps.push(Step { extent: whole.extent.div_ceil(p.extent), strides, edge });
        }
        // The part that is left of a cut loop at its end.
        let end = |p: &Part, at_edge: bool| match loops[p.of].extent % p.extent {
            rest if at_edge && rest > 0 => Part { extent: rest, ..*p },
            _ => *p,
        };
        let tile = |which: usize| {
            if which & 1 == 1 && !edges[0] || which & 2 == 2 && !edges[1] {
                return None;
            }
            let down: Vec<Part> = down.iter().map(|p| end(p, which & 1 == 1)).collect();
            // A loop in both is cut once.
            let across = across.iter().map(|p| match down.iter().find(|d| d.of == p.of) {
                Some(d) => *d,
                None => end(p, which & 2 == 2),
            });
            let tile = Tile::new(&loops, unit, (&down, dense), (&across.collect::<Vec<_>>(), contiguous));
            let lines = if self.streams { tile.lines } else { Box::default() };
            let tile = Tile { lines, ..tile };
            Some(Box::new(Tile { kernel: Kernel::new(self.isa, &tile), ..tile }))
        };
        self.form = Form::Tiles([tile(0), tile(1), tile(2), tile(3)]);
        self.set_steps(steps);
        self
    }
}

/// The loops in bytes, all running upwards in C, or in A if they do not move C; without those of one step; neighbours
/// fused.
fn upwards(loops: &[Loop<2>], size: usize) -> (Vec<Loop<2>>, [isize; 2]) {
    let mut start = [0isize; 2];
    let mut up: Vec<Loop<2>> = Vec::with_capacity(loops.len());
    for l in loops.iter().filter(|l| l.extent > 1) {
        let mut strides = l.strides.map(|stride| stride * size as isize);
        if strides[0] < 0 || strides[0] == 0 && strides[1] < 0 {
            for t in 0..2 {
                start[t] += strides[t] * (l.extent as isize - 1);
                strides[t] = -strides[t];
            }
        }
        up.push(Loop { extent: l.extent, strides });
    }
    up.sort_by_key(|l| (l.strides[0], l.strides[1].unsigned_abs()));
    let mut fused: Vec<Loop<2>> = Vec::with_capacity(up.len());
    for l in up {
        match fused.last_mut() {
            Some(inner) if (0..2).all(|t| l.strides[t] == inner.strides[t].wrapping_mul(inner.extent as isize)) => {
                inner.extent = inner.extent.saturating_mul(l.extent);
            }
            _ => fused.push(l),
        }
    }
    (fused, start)
}

/// The loops that are no part of a tile.
fn outer(loops: &[Loop<2>], parts: &[Part]) -> Vec<Step> {
    let left = loops.iter().enumerate().filter(|(of, _)| parts.iter().all(|p| p.of != *of));
    left.map(|(_, l)| Step { extent: l.extent, strides: l.strides, edge: 0 }).collect()
}

/// The loops that walk tensor `t` without a gap, up to about `target` bytes.
fn neighbourhood(loops: &[Loop<2>], t: usize, unit: usize, target: usize, taken: &[Part]) -> Vec<Part> {
    let mut parts: Vec<Part> = Vec::new();
    let mut reach = unit;
    while reach < target {
        let next = |(of, l): &(usize, &Loop<2>)| {
            let here = taken.iter().any(|p| p.of == *of);
            let along = l.strides[t] == reach as isize || !here && l.strides[t] == -(reach as isize);
            along && parts.iter().all(|p| p.of != *of)
        };
        let Some((of, l)) = loops.iter().enumerate().find(next) else { break };
        if let Some(&part) = taken.iter().find(|p| p.of == of) {
            parts.push(part);
            if part.extent < l.extent {
                break;
            }
            reach *= l.extent;
            continue;
        }
        let room = target.div_ceil(reach);
        // A little more than asked for is better than an edge; it is never more than twice as much.
        let extent = if l.extent <= room || reach.saturating_mul(l.extent) <= target + target / 2 {
            l.extent
        } else {
            let even = l.extent.div_ceil(l.extent.div_ceil(room));
            let lanes = (64 / unit).max(1);
            if parts.is_empty() {
                even.next_multiple_of(lanes).min(l.extent)
            } else {
                even
            }
        };
        parts.push(Part { of, extent });
        reach *= extent;
        if extent < l.extent {
            break;
        }
    }
    parts
}

/// The loop that walks tensor `t` in the smallest steps, when none walks it without a gap.
fn nearest(loops: &[Loop<2>], t: usize, taken: &[Part]) -> Vec<Part> {
    let free = (0..loops.len()).filter(|of| taken.iter().all(|p| p.of != *of));
    let free = free.filter(|&of| t == 1 || loops[of].strides[0] != 0);
    let best = free.min_by_key(|&of| loops[of].strides[t].unsigned_abs());
    best.map(|of| Part { of, extent: loops[of].extent.min(FEW) }).into_iter().collect()
}

/// Offsets of all steps of the loops, the first fastest.
fn offsets(loops: impl Iterator<Item = (usize, isize)>) -> Box<[isize]> {
    let mut all = vec![0isize];
    for (extent, stride) in loops {
        let inner = all.len();
        all.reserve(inner * (extent - 1));
        for i in inner..inner * extent {
            all.push(all[i - inner] + stride);
        }
    }
    all.into()
}

impl Tile {
    fn new(
        loops: &[Loop<2>],
        unit: usize,
        (down, dense): (&[Part], bool),
        (across, contiguous): (&[Part], bool),
    ) -> Tile {
        let both = |p: &Part| down.iter().any(|d| d.of == p.of);
        let crossing: Vec<Part> = across.iter().filter(|p| !both(p)).copied().collect();
        let units: usize = down.iter().map(|p| p.extent).product();
        let row = unit * units;
        let pitch = row.next_multiple_of(64);
        // Where the steps of a loop lead in C, A, and the buffer.
        let stride = |p: &Part, t: usize| -> isize {
            if t < 2 {
                return loops[p.of].strides[t];
            }
            let before = |list: &[Part], from: usize| {
                let at = list.iter().position(|q| q.of == p.of)?;
                Some(list[..at].iter().fold(from, |stride, q| stride * q.extent) as isize)
            };
            before(down, unit).or_else(|| before(&crossing, pitch)).unwrap_or(0)
        };
        let table = |parts: &[Part], t: usize| offsets(parts.iter().map(|p| (p.extent, stride(p, t))));
        // The longest beginnings of both neighbourhoods that have no loop in common are transposed.
        let volume = |parts: &[Part]| parts.iter().map(|p| p.extent).product::<usize>();
        let disjoint = |i: usize, j: usize| down[..i].iter().all(|d| across[..j].iter().all(|p| p.of != d.of));
        let all = (0..=down.len()).flat_map(|i| (0..=across.len()).map(move |j| (i, j)));
        let enough = |n: usize| n.min(8);
        let (i, j) = all
            .filter(|&(i, j)| disjoint(i, j))
            .max_by_key(|&(i, j)| {
                let (m, n) = (volume(&down[..i]), volume(&across[..j]));
                (enough(m) * enough(n), m * n)
            })
            .unwrap_or((0, 0));
        let rest: Vec<Part> = down[i..].iter().chain(&crossing).copied().collect();
        let rest: Vec<Part> = rest.into_iter().filter(|p| across[..j].iter().all(|q| q.of != p.of)).collect();
        let [c, a, b] = [0, 1, 2].map(|t| table(&rest, t));
        let inner = (0..c.len()).map(|k| [c[k], a[k], b[k]]).collect();
        // The stretches of A start where what is not across leads, and have a line every 64 bytes.
        let beside: Vec<Part> = down.iter().filter(|p| across.iter().all(|q| q.of != p.of)).copied().collect();
        let stretch = if contiguous { unit * volume(across) } else { unit };
        let starts = if contiguous { table(&beside, 1) } else { table(&[down, across].concat(), 1) };
        let lines = starts.iter().flat_map(|&start| (0..stretch.div_ceil(64)).map(move |k| start + 64 * k as isize));
        Tile {
            kernel: Kernel::Units,
            unit,
            contiguous,
            dense,
            a_down: table(&down[..i], 1),
            c_down: table(&down[..i], 0),
            a_across: table(&across[..j], 1),
            c_across: table(&across[..j], 0),
            b_across: table(&across[..j], 2),
            inner,
            rows: table(&crossing, 0),
            row,
            pitch,
            lines: lines.collect(),
        }
    }

    /// Bytes that the rows take in the buffer.
    pub(super) fn buffer(&self) -> usize {
        self.rows.len() * self.pitch
    }
}
