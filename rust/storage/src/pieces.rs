//! Tensors cut into pieces, so that what has to be packed needs little memory.

/// A block of a tensor: where it begins, and its extents.
pub(crate) type Piece = (Vec<usize>, Vec<usize>);

/// Blocks of at most `most` elements (at least 1) that cover a shape, in the order of memory: whole along the first
/// axes, a range along one axis, single positions along the others.
pub(crate) fn pieces(shape: &[usize], most: usize) -> impl Iterator<Item = Piece> {
    let shape = shape.to_vec();
    let most = most.max(1);
    let (mut whole, mut inner) = (0, 1usize);
    while whole < shape.len() && inner.saturating_mul(shape[whole]) <= most {
        inner *= shape[whole];
        whole += 1;
    }
    let step = (most / inner.max(1)).max(1);
    let mut first = vec![0; shape.len()];
    let mut done = shape.contains(&0);
    std::iter::from_fn(move || {
        if done {
            return None;
        }
        let extent = |axis: usize| match axis {
            _ if axis < whole => shape[axis],
            _ if axis == whole => step.min(shape[axis] - first[axis]),
            _ => 1,
        };
        let piece = (first.clone(), (0..shape.len()).map(extent).collect());
        done = true;
        for axis in whole..shape.len() {
            first[axis] += if axis == whole { step } else { 1 };
            if first[axis] < shape[axis] {
                done = false;
                break;
            }
            first[axis] = 0;
        }
        Some(piece)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_element_is_in_one_piece(shape in proptest::collection::vec(0usize..6, 0..5), most in 1usize..40) {
            let mut seen = vec![0; shape.iter().product()];
            for (first, count) in pieces(&shape, most) {
                prop_assert!(count.iter().product::<usize>() <= most);
                let mut index = vec![0; shape.len()];
                for _ in 0..count.iter().product() {
                    let at = (0..shape.len()).rev().fold(0, |at, d| at * shape[d] + first[d] + index[d]);
                    seen[at] += 1;
                    for (i, n) in index.iter_mut().zip(&count) {
                        *i += 1;
                        if *i < *n { break }
                        *i = 0;
                    }
                }
            }
            prop_assert!(seen.iter().all(|&n| n == 1));
        }
    }
}
