//! How many singular values are kept: a function of the values alone.

use tensoroxide_tensor::Real;

use crate::Error;

/// Which singular values are cut off. Each limit says how many values may stay; the strictest limit decides, and
/// `minrank` has the last word.
///
/// `keep_multiplets` moves the cut out of a group of equal values. The group is then dropped whole, so that no limit is
/// exceeded. Only where that would leave fewer than `minrank` values, the group is kept whole; and where even this is
/// not possible, since there would be more than `maxrank`, it is cut where the limits say. Neighbours are equal if they
/// differ by at most eps^(2/3) of the larger one (4·10⁻¹¹ in double, 2·10⁻⁵ in single precision), or by k·eps of the
/// largest of all k values, which is rounding.
///
/// ```
/// use tensoroxide_linalg::Truncation;
/// let s = [4.0, 3.0, 2.0, 1.0];
/// let kept = |truncation: Truncation| truncation.apply(&s).map(|t| t.rank);
/// assert_eq!(kept(Truncation::default()), Ok(4));
/// assert_eq!(kept(Truncation { maxrank: Some(2), ..Default::default() }), Ok(2));
/// assert_eq!(kept(Truncation { atol: 1.5, ..Default::default() }), Ok(3));
/// assert_eq!(kept(Truncation { atol: 9.0, minrank: 2, ..Default::default() }), Ok(2));
/// assert_eq!(kept(Truncation { discarded_weight: 0.2, ..Default::default() }), Ok(2)); // (1² + 2²)/30 ≤ 0.2
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Truncation {
    /// At most this many values stay, unless `minrank` is larger; no limit if `None`.
    pub maxrank: Option<usize>,
    /// At least this many values stay, as far as there are that many.
    pub minrank: usize,
    /// Values below this are cut off.
    pub atol: f64,
    /// Values below this times the 2-norm of all values are cut off.
    pub rtol: f64,
    /// As many values are cut off as have squares whose sum is at most this part of the sum of all squares. 0 cuts off
    /// nothing.
    pub discarded_weight: f64,
    /// Never cut inside of a group of equal values, if that is possible.
    pub keep_multiplets: bool,
}

impl Default for Truncation {
    /// Nothing is cut off.
    fn default() -> Self {
        Self { maxrank: None, minrank: 1, atol: 0.0, rtol: 0.0, discarded_weight: 0.0, keep_multiplets: false }
    }
}

/// What a truncation comes to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Truncated {
    /// Number of values that stay.
    pub rank: usize,
    /// 2-norm of the values that were cut off.
    pub error: f64,
}

impl Truncation {
    /// The largest rank that can come out, of `k` values.
    pub fn ceiling(&self, k: usize) -> usize {
        self.maxrank.unwrap_or(k).max(self.minrank).min(k)
    }

    /// [`Error::Tolerance`] if a tolerance is negative or NaN.
    pub fn check(&self) -> Result<(), Error> {
        let tolerances = [("atol", self.atol), ("rtol", self.rtol), ("discarded_weight", self.discarded_weight)];
        match tolerances.into_iter().find(|(_, value)| !(0.0..).contains(value)) {
            Some((name, value)) => Err(Error::Tolerance { name, value }),
            None => Ok(()),
        }
    }

    /// How many of these values, which are descending and not negative, stay, and the norm of the others.
    ///
    /// # Errors
    /// As [`Truncation::check`].
    pub fn apply<R: Real>(&self, s: &[R]) -> Result<Truncated, Error> {
        self.check()?;
        let k = s.len();
        // Relative to the largest value no square overflows, and those that underflow do not matter.
        let largest = s.first().map_or(0.0, |x| x.to_f64());
        let size = if largest > 0.0 { largest } else { 1.0 };
        let square = |x: &R| (x.to_f64() / size) * (x.to_f64() / size);
        // From the smallest up, so that many small squares are not lost beside a large one.
        let weight = |s: &[R]| s.iter().rev().map(square).sum::<f64>();
        let total = weight(s);
        let threshold = |x: &R| x.to_f64() >= self.atol && x.to_f64() / size >= self.rtol * total.sqrt();
        let above = s.iter().take_while(|x| threshold(x)).count();
        let mut discarded = 0.0;
        let light = s.iter().rev().take_while(|x| {
            discarded += square(x);
            self.discarded_weight > 0.0 && discarded <= self.discarded_weight * total
        });
        let cut = above.min(k - light.count()).min(self.maxrank.unwrap_or(k)).max(self.minrank).min(k);
        let rank = if self.keep_multiplets { self.beside_multiplets(s, cut) } else { cut };
        Ok(Truncated { rank, error: weight(&s[rank..]).sqrt() * size })
    }

    /// The cut, moved out of a group of equal values.
    fn beside_multiplets<R: Real>(&self, s: &[R], cut: usize) -> usize {
        let (k, eps) = (s.len(), R::EPSILON.to_f64());
        let equal = |i: usize| {
            let (x, y) = (s[i - 1].to_f64(), s[i].to_f64());
            x - y <= (x * eps.powf(2.0 / 3.0)).max(s[0].to_f64() * k as f64 * eps)
        };
        let within = |i: usize| 0 < i && i < k && equal(i);
        let start = (0..=cut).rev().find(|&i| !within(i)).unwrap_or(0);
        let end = (cut..=k).find(|&i| !within(i)).unwrap_or(k);
        match (start >= self.minrank.min(k), end <= self.ceiling(k)) {
            (true, _) => start,
            (false, true) => end,
            (false, false) => cut,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NONE: Truncation =
        Truncation { maxrank: None, minrank: 1, atol: 0.0, rtol: 0.0, discarded_weight: 0.0, keep_multiplets: false };

    fn rank(t: Truncation, s: &[f64]) -> usize {
        t.apply(s).unwrap().rank
    }

    #[test]
    fn each_limit_alone() {
        let s = [4.0, 3.0, 2.0, 1.0, 0.0];
        assert_eq!(rank(NONE, &s), 5);
        assert_eq!([0, 1, 3, 5, 9].map(|r| rank(Truncation { maxrank: Some(r), ..NONE }, &s)), [1, 1, 3, 5, 5]);
        // A value equal to the tolerance stays.
        assert_eq!([0.5, 1.0, 1.5, 4.0, 4.5].map(|atol| rank(Truncation { atol, ..NONE }, &s)), [4, 4, 3, 1, 1]);
        let norm = 30f64.sqrt();
        assert_eq!([0.9, 1.1, 3.9].map(|x| rank(Truncation { rtol: x / norm, ..NONE }, &s)), [4, 3, 1]);
        // Squares 16, 9, 4, 1, 0 of a sum of 30.
        let weights = [1e-9, 0.9, 1.1, 4.9, 5.1, 13.9, 14.1, 29.9, 30.1, 99.0];
        let ranks = weights.map(|w| rank(Truncation { discarded_weight: w / 30.0, minrank: 0, ..NONE }, &s));
        assert_eq!(ranks, [4, 4, 3, 3, 2, 2, 1, 1, 0, 0]);
        assert_eq!(rank(Truncation { discarded_weight: f64::INFINITY, atol: f64::INFINITY, ..NONE }, &s), 1);
    }

    #[test]
    fn the_strictest_limit_wins_and_minrank_is_last() {
        let s = [4.0, 3.0, 2.0, 1.0];
        let all = Truncation { maxrank: Some(3), atol: 1.5, rtol: 0.5, discarded_weight: 0.01, ..NONE };
        assert_eq!(rank(all, &s), 2);
        assert_eq!(rank(Truncation { maxrank: Some(1), ..all }, &s), 1);
        assert_eq!(rank(Truncation { rtol: 0.0, ..all }, &s), 3);
        assert_eq!(rank(Truncation { minrank: 4, ..all }, &s), 4);
        assert_eq!(rank(Truncation { minrank: 9, ..all }, &s), 4);
        assert_eq!(rank(Truncation { minrank: 0, atol: 9.0, ..NONE }, &s), 0);
        assert_eq!(Truncation { minrank: 3, maxrank: Some(1), ..NONE }.ceiling(4), 3);
        assert_eq!(Truncation { minrank: 3, maxrank: Some(1), ..NONE }.ceiling(2), 2);
        assert_eq!(NONE.ceiling(7), 7);
    }

    #[test]
    fn multiplets_are_dropped_whole() {
        let near = 1.0 - 1e-12;
        let s = [3.0, 1.0, near, near, 0.5, 0.5, 0.25];
        let cut = |maxrank| rank(Truncation { maxrank: Some(maxrank), keep_multiplets: true, ..NONE }, &s);
        assert_eq!([1, 2, 3, 4, 5, 6, 7].map(cut), [1, 1, 1, 4, 4, 6, 7]);
        // Kept whole for the sake of minrank, if maxrank allows; else cut where the limits say.
        let t = Truncation { minrank: 3, atol: 2.0, keep_multiplets: true, ..NONE };
        assert_eq!(rank(t, &s), 4);
        assert_eq!(rank(Truncation { maxrank: Some(3), ..t }, &s), 3);
        assert_eq!(rank(Truncation { maxrank: Some(2), ..t }, &s), 3);
        assert_eq!(rank(Truncation { maxrank: Some(2), minrank: 2, keep_multiplets: true, ..NONE }, &s), 2);
        let flat = [1.0; 4];
        assert_eq!(rank(Truncation { maxrank: Some(3), keep_multiplets: true, ..NONE }, &flat), 3);
        assert_eq!(rank(Truncation { maxrank: Some(3), minrank: 0, keep_multiplets: true, ..NONE }, &flat), 0);
        let half = Truncation { discarded_weight: 0.5, keep_multiplets: true, ..NONE };
        assert_eq!(rank(half, &flat), 4);
        // What differs by more than rounding is not equal, what is rounding is.
        let s = [1.0, 1.0 - 1e-9, 1e-17, 1e-18, 1e-19];
        assert_eq!(rank(Truncation { maxrank: Some(1), keep_multiplets: true, ..NONE }, &s), 1);
        assert_eq!(rank(Truncation { maxrank: Some(3), keep_multiplets: true, ..NONE }, &s), 2);
        let s = [1.0f32, 1.0 - 1e-5, 0.9];
        assert_eq!(
            Truncation { maxrank: Some(1), minrank: 0, keep_multiplets: true, ..NONE }.apply(&s).unwrap().rank,
            0
        );
    }

    #[test]
    fn zeros_and_nothing() {
        for t in [NONE, Truncation { keep_multiplets: true, ..NONE }] {
            assert_eq!(t.apply::<f64>(&[]), Ok(Truncated { rank: 0, error: 0.0 }));
            assert_eq!(t.apply(&[0.0; 3]), Ok(Truncated { rank: 3, error: 0.0 }));
            assert_eq!(rank(Truncation { rtol: 0.1, ..t }, &[0.0; 3]), 3);
            assert_eq!(rank(Truncation { atol: 0.1, ..t }, &[0.0]), 1);
            assert_eq!(rank(Truncation { discarded_weight: 0.1, ..NONE }, &[0.0; 3]), 1);
        }
    }

    #[test]
    fn the_whole_range_of_exponents() {
        for size in [5e-324f64, 1e-300, 1e-200, 1.0, 1e200, 1e300] {
            let s = [3.0 * size, 2.0 * size, 2.0 * size];
            let t = Truncation { discarded_weight: 4.1 / 17.0, ..NONE }.apply(&s).unwrap();
            assert_eq!(t.rank, 2, "{size}");
            assert!((t.error / size - 2.0).abs() < 1e-14);
            assert_eq!(rank(Truncation { rtol: 2.1 / 17f64.sqrt(), ..NONE }, &s), 1);
            assert!(
                size == 5e-324
                    || (Truncation { maxrank: Some(1), ..NONE }.apply(&s).unwrap().error / size - 8f64.sqrt()).abs()
                        < 1e-14
            );
        }
        let s = [1.0f32, 1e-30, 1e-45];
        assert_eq!(Truncation { maxrank: Some(1), ..NONE }.apply(&s).unwrap().error, f64::from(1e-30f32));
    }

    #[test]
    fn small_values_add_up() {
        // 10⁶ squares of 1e-16 beside 1: summed from the large end in order, each would be lost.
        let mut s = vec![1e-8; 1_000_001];
        s[0] = 1.0;
        assert_eq!(rank(Truncation { discarded_weight: 0.999e-10, ..NONE }, &s), 1001);
        let t = Truncation { maxrank: Some(1), ..NONE }.apply(&s).unwrap();
        assert!((t.error - 1e-5).abs() < 1e-14);
        let t = Truncation { rtol: 1e-8 / (1.0 + 1e-10f64).sqrt() * (1.0 + 1e-12), ..NONE };
        assert_eq!(rank(t, &s), 1);
        let t = Truncation { rtol: 1e-8 / (1.0 + 1e-10f64).sqrt() * (1.0 - 1e-12), ..NONE };
        assert_eq!(rank(t, &s), 1_000_001);
    }

    #[test]
    fn bad_tolerances_are_named() {
        for bad in [-1.0, f64::NAN, f64::NEG_INFINITY] {
            let name = |t: Truncation| match t.apply(&[1.0]) {
                Err(Error::Tolerance { name, .. }) => name,
                other => panic!("{other:?}"),
            };
            assert_eq!(name(Truncation { atol: bad, ..NONE }), "atol");
            assert_eq!(name(Truncation { rtol: bad, ..NONE }), "rtol");
            assert_eq!(name(Truncation { discarded_weight: bad, ..NONE }), "discarded_weight");
        }
    }

    proptest! {
        /// Against the definitions, one rank after the other.
        #[test]
        fn every_limit_holds_and_none_is_too_strict(
            mut s in prop::collection::vec(0.0f64..1.0, 0..12),
            maxrank in prop::option::of(0usize..12),
            minrank in 0usize..6,
            atol in 0.0f64..0.7,
            rtol in 0.0f64..0.7,
            discarded_weight in 0.0f64..0.7,
            used: [bool; 3],
        ) {
            s.sort_by(|a, b| b.total_cmp(a));
            let on = |i: usize, x: f64| if used[i] { x } else { 0.0 };
            let t = Truncation {
                maxrank, minrank, atol: on(0, atol), rtol: on(1, rtol), discarded_weight: on(2, discarded_weight),
                keep_multiplets: false,
            };
            let Truncated { rank, error } = t.apply(&s).unwrap();
            let weight = |s: &[f64]| s.iter().map(|x| x * x).sum::<f64>();
            let total = weight(&s);
            // Whether a limit forbids to keep `r` values.
            let forbidden = |r: usize| {
                maxrank.is_some_and(|most| r > most)
                    || r > 0 && (s[r - 1] < t.atol || s[r - 1] < t.rtol * total.sqrt())
                    || r > 0 && t.discarded_weight > 0.0 && weight(&s[r - 1..]) <= t.discarded_weight * total
            };
            prop_assert!(rank <= minrank.min(s.len()) || !forbidden(rank));
            prop_assert!(rank >= minrank.min(s.len()));
            prop_assert!(rank == s.len() || forbidden(rank + 1));
            prop_assert!(rank <= t.ceiling(s.len()));
            prop_assert!((error - weight(&s[rank..]).sqrt()).abs() <= 1e-14);
            // Values that all differ make no multiplets, so that the option changes nothing.
            if s.windows(2).all(|w| w[0] - w[1] > 1e-10) {
                prop_assert_eq!(Truncation { keep_multiplets: true, ..t }.apply(&s).unwrap().rank, rank);
            }
        }

        /// No cut inside of a multiplet, unless minrank and maxrank leave no other choice.
        #[test]
        fn multiplets_stay_together(
            levels in prop::collection::vec(1usize..4, 1..6),
            maxrank in 0usize..12,
            minrank in 0usize..6,
        ) {
            let s: Vec<f64> =
                levels.iter().enumerate().flat_map(|(i, &n)| vec![1.0 / (i + 1) as f64; n]).collect();
            let bounds: Vec<usize> =
                std::iter::once(0).chain(levels.iter().scan(0, |sum, n| { *sum += n; Some(*sum) })).collect();
            let t = Truncation { maxrank: Some(maxrank), minrank, keep_multiplets: true, ..NONE };
            let (found, least, most) = (rank(t, &s), minrank.min(s.len()), t.ceiling(s.len()));
            match bounds.iter().rev().find(|b| (least..=most).contains(*b)) {
                Some(&best) => prop_assert_eq!(found, best),
                None => prop_assert_eq!(found, most),
            }
        }
    }
}
