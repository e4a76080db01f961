//! Where in the workspace each intermediate lies.

use super::{Inputs, Intermediate, Source, Step};
use crate::Error;

/// Intermediates start at multiples of so many elements: a cache line of the smallest type.
const ALIGNMENT: usize = 16;

/// Gives every intermediate the lowest place in the workspace that is free while it lives, and returns the length of all.
pub(super) fn place(intermediates: &mut [Intermediate], steps: &[Step]) -> Result<usize, Error> {
    let mut alive: Vec<(usize, usize, usize)> = Vec::new(); // start, end, intermediate
    let mut length = 0usize;
    for step in steps {
        if let Some(made) = step.output {
            let size = intermediates[made].layout.len().next_multiple_of(ALIGNMENT);
            let mut start = 0;
            for &(from, to, _) in &alive {
                if start + size <= from {
                    break;
                }
                start = start.max(to); // an empty tensor ends before others
            }
            intermediates[made].start = start;
            let end = start + size;
            tensoroxide_tensor::layout::element_count(&[end])?;
            let at = alive.partition_point(|&(from, ..)| from < start);
            alive.insert(at, (start, end, made));
            length = length.max(end);
        }
        let read: [Option<Source>; 2] = match step.inputs {
            Inputs::Single(a) => [Some(a), None],
            Inputs::Pair(a, b) => [Some(a), Some(b)],
        };
        alive.retain(|&(_, _, i)| !read.contains(&Some(Source::Intermediate(i))));
    }
    Ok(length)
}
