//! What it takes to bring the elements of a tensor in, by how they lie: the part of a step's time that its layouts
//! decide.
//!
//! Memory comes in lines. A line that lies beside the last one is there already when it is asked for; one on another
//! page has to be looked for first. The prices were measured on a server processor (2 MB of second cache); what counts
//! is how they compare with each other and with a multiplication.

use tensoroxide_tensor::nest::Loop;

/// Bytes of a line, and of what is fetched ahead together.
const LINE: f64 = 64.0;
const AHEAD: f64 = 512.0;

/// So many streams are fetched ahead at a time.
const STREAMS: f64 = 24.0;

/// Nanoseconds for a line beside the last one, and for one on another page, of a tensor of so many bytes.
fn prices(bytes: f64) -> [f64; 2] {
    match bytes {
        ..3.2e4 => [0.2, 0.3],
        ..1.2e6 => [0.8, 2.5],
        ..8e6 => [2.0, 6.0],
        ..3.2e7 => [4.0, 9.0],
        _ => [5.0, 14.0],
    }
}

/// The elements that some loops reach in one tensor.
struct Reach {
    elements: f64,
    lines: f64,
    /// Bytes that lie together.
    together: f64,
}

impl Reach {
    fn new<const N: usize>(loops: impl IntoIterator<Item = Loop<N>>, tensor: usize, size: usize) -> Reach {
        let size = size as f64;
        let mut steps: Vec<(f64, f64)> = loops
            .into_iter()
            .filter(|l| l.extent > 1 && l.strides[tensor] != 0)
            .map(|l| (l.strides[tensor].unsigned_abs() as f64 * size, l.extent as f64))
            .collect();
        steps.sort_by(|x, y| x.0.total_cmp(&y.0));
        let elements: f64 = steps.iter().map(|step| step.1).product();
        // Elements of a line that are met.
        let (mut shared, mut together) = (1.0, size);
        for &(step, extent) in &steps {
            if step < LINE {
                shared *= extent.min(LINE / step);
            }
            if step <= together {
                together = together.max(step * extent);
            }
        }
        Reach { elements, lines: elements / f64::min(shared, LINE / size), together }
    }
}

/// Bytes of the lines of memory that some loops reach.
pub(crate) fn footprint<const N: usize>(loops: impl IntoIterator<Item = Loop<N>>, tensor: usize, size: usize) -> f64 {
    LINE * Reach::new(loops, tensor, size).lines
}

/// Nanoseconds to meet once all elements that some loops reach, of a tensor of `bytes` bytes whose elements have `size`
/// bytes.
pub(crate) fn sweep<const N: usize>(
    loops: impl IntoIterator<Item = Loop<N>>,
    tensor: usize,
    size: usize,
    bytes: f64,
) -> f64 {
    let Reach { elements, lines, together } = Reach::new(loops, tensor, size);
    let [beside, apart] = prices(bytes);
    // A few streams are fetched ahead as one is.
    let scattered = if elements * size as f64 <= STREAMS * together { 0.0 } else { (AHEAD / together).min(1.0) };
    lines * (beside + (apart - beside) * scattered)
}

/// Nanoseconds to meet all of a dense tensor of so many bytes once, in its order.
pub(crate) fn streamed(bytes: f64) -> f64 {
    bytes / LINE * prices(bytes)[0]
}

/// As [`sweep`], of a tensor with the loops of two groups that is met in blocks of so many values of each.
pub(crate) fn blocks<const N: usize>(
    (x, most_x): (&[Loop<N>], usize),
    (y, most_y): (&[Loop<N>], usize),
    tensor: usize,
    size: usize,
    bytes: f64,
) -> f64 {
    let met = |l: &&Loop<N>| l.strides[tensor] != 0;
    let count = |loops: &[Loop<N>]| loops.iter().filter(met).map(|l| l.extent as f64).product::<f64>();
    let number = (count(x) / most_x as f64).max(1.0) * (count(y) / most_y as f64).max(1.0);
    number * sweep(first(x, most_x).chain(first(y, most_y)), tensor, size, bytes)
}

/// The first loops of a list, up to so many steps together; at least one step.
pub(crate) fn first<const N: usize>(loops: &[Loop<N>], most: usize) -> impl Iterator<Item = Loop<N>> + '_ {
    let mut left = most.max(1);
    loops.iter().map(move |l| {
        let extent = l.extent.min(left);
        left = (left / l.extent.max(1)).max(1);
        Loop { extent, strides: l.strides }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loops<const D: usize>(steps: [(usize, isize); D]) -> [Loop<1>; D] {
        steps.map(|(extent, stride)| Loop { extent, strides: [stride] })
    }

    #[test]
    fn lines_are_counted_once() {
        let lines = |steps: &[(usize, isize)]| {
            let loops = steps.iter().map(|&(extent, stride)| Loop { extent, strides: [stride] });
            footprint(loops, 0, 8) / LINE
        };
        // Numbers of 8 bytes: 8 to a line, 4 of which every second one meets, 1 of which every eighth.
        assert_eq!(
            [lines(&[(64, 1)]), lines(&[(64, 2)]), lines(&[(64, 8)]), lines(&[(64, -1)])],
            [8.0, 16.0, 64.0, 8.0]
        );
        // The line is filled by loops in any order; what repeats meets nothing new.
        assert_eq!(lines(&[(2, 4), (100, 1000), (4, 1)]), 100.0);
        assert_eq!([lines(&[(8, 1), (5, 0)]), lines(&[])], [1.0, 1.0]);
    }

    #[test]
    fn what_lies_together_is_met_sooner() {
        let bytes = 8.0 * 1e6;
        let time = |steps: [(usize, isize); 2]| sweep(loops(steps), 0, 8, bytes);
        // A column at a time, in whichever order the loops are given; ever eighth elements on other pages; so few
        // of those streams that they are fetched ahead.
        assert_eq!(time([(1000, 1), (1000, 1000)]), time([(1000, 1000), (1000, 1)]));
        assert!(time([(1000, 8), (1000, 8000)]) > 8.0 * time([(1000, 1), (1000, 1000)]));
        assert!(time([(8, 1), (1000, 1000)]) > 2.0 * time([(8000, 1), (1, 0)]));
        assert_eq!(time([(400, 1), (20, 1000)]), time([(8000, 1), (1, 0)]));
        assert_eq!(streamed(bytes), time([(1000, 1), (1000, 1000)]));
    }

    #[test]
    fn blocks_cover_the_tensor() {
        let (x, y) = (loops([(64, 1), (4, 64)]), loops([(256, 256)]));
        let taken: Vec<usize> = first(&x, 128).map(|l| l.extent).collect();
        assert_eq!(taken, [64, 2]);
        assert_eq!(first(&x, 0).map(|l| l.extent).collect::<Vec<_>>(), [1, 1]);
        // As many lines in all, whatever the blocks: these are whole ones.
        let all = sweep(x.into_iter().chain(y), 0, 8, 1e4);
        assert_eq!(blocks((&x, usize::MAX), (&y, usize::MAX), 0, 8, 1e4), all);
        assert_eq!(blocks((&x, 64), (&y, 16), 0, 8, 1e4), all);
    }
}
