//! Loop nests over several tensors at once, put into the order in which memory likes to be walked.
//!
//! A nest is a list of loops; loop `d` runs over `extent` steps, and each step moves tensor `t` by `strides[t]`
//! elements. Two neighbouring loops that move every tensor as one longer loop would are fused, so that a tensor of any
//! order ends as the few loops that its layout really has.

/// One loop of a nest over `N` tensors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Loop<const N: usize> {
    /// Steps.
    pub extent: usize,
    /// Elements that a step moves each tensor by.
    pub strides: [isize; N],
}

/// Loops from the innermost to the outermost, without loops of one step; tensor 0 is the one that is written.
///
/// No loop at all is a single element; a loop of no steps empties the nest ([`order`] then returns that loop alone).
///
/// Innermost comes the loop that moves the output least; a loop that does not move it (a sum) counts by how
/// far it moves the first input. Then neighbours are fused, and last the loop that moves the first input least is put
/// second: a transposition is then a pair of innermost loops with a unit stride each.
pub fn order<const N: usize>(mut loops: Vec<Loop<N>>) -> Vec<Loop<N>> {
    if let Some(&empty) = loops.iter().find(|l| l.extent == 0) {
        return vec![empty];
    }
    loops.retain(|l| l.extent > 1);
    let nearest_input = |l: &Loop<N>| l.strides[1..].iter().map(|s| s.unsigned_abs()).filter(|&s| s > 0).min();
    loops.sort_by_key(|l| match l.strides[0].unsigned_abs() {
        0 => (nearest_input(l), nearest_input(l)),
        output => (Some(output), nearest_input(l)),
    });
    let mut fused: Vec<Loop<N>> = Vec::with_capacity(loops.len());
    for l in loops {
        match fused.last_mut() {
            Some(inner)
                if (0..N).all(|t| l.strides[t] == inner.strides[t].wrapping_mul(inner.extent as isize))
                    && inner.extent.checked_mul(l.extent).is_some() =>
            {
                inner.extent *= l.extent;
            }
            _ => fused.push(l),
        }
    }
    if fused.len() > 2 && nearest_input(&fused[0]) != Some(1) {
        let second = (1..fused.len()).min_by_key(|&d| nearest_input(&fused[d]).unwrap_or(usize::MAX));
        fused[1..=second.unwrap_or(1)].rotate_right(1);
    }
    fused
}

/// Number of innermost steps; `usize::MAX` if there are more (inputs repeated by zero strides can take any number).
pub fn volume<const N: usize>(loops: &[Loop<N>]) -> usize {
    loops.iter().fold(1, |steps, l| steps.saturating_mul(l.extent))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn walk<const N: usize>(loops: &[Loop<N>]) -> Vec<[isize; N]> {
        let mut all = loops.iter().fold(vec![[0; N]], |all, l| {
            let step = |o: [isize; N], i| std::array::from_fn(|t| o[t] + i * l.strides[t]);
            all.into_iter().flat_map(|o| (0..l.extent as isize).map(move |i| step(o, i))).collect()
        });
        all.sort_unstable();
        all
    }

    #[test]
    fn dense_tensors_become_one_loop() {
        let shape = [2, 3, 4];
        let loops = (0..3).map(|d| Loop { extent: shape[d], strides: [[12, 4, 1][d]; 2] }).collect();
        assert_eq!(order(loops), [Loop { extent: 24, strides: [1, 1] }]);
    }

    #[test]
    fn a_transposition_keeps_both_unit_strides_innermost() {
        let loops = vec![
            Loop { extent: 5, strides: [1, 24] },
            Loop { extent: 4, strides: [5, 6] },
            Loop { extent: 6, strides: [20, 1] },
        ];
        let ordered = order(loops);
        assert_eq!((ordered[0].strides[0], ordered[1].strides[1]), (1, 1));
    }

    proptest! {
        #[test]
        fn the_same_elements_are_visited(
            loops in proptest::collection::vec((0usize..4, -6isize..7, -6isize..7, -6isize..7), 0..5),
        ) {
            let loops: Vec<Loop<3>> = loops.into_iter().map(|(extent, a, b, c)| Loop { extent, strides: [a, b, c] }).collect();
            let ordered = order(loops.clone());
            prop_assert_eq!(walk(&ordered), walk(&loops));
            prop_assert_eq!(volume(&ordered), volume(&loops));
        }
    }
}
