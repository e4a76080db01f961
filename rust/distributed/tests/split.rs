//! Contractions of tensors that are split along an index, against the whole ones.

use std::time::Duration;

use tensoroxide_dense::Element;
use tensoroxide_distributed::split::range;
use tensoroxide_distributed::{sum, Error, Group, Loopback, SplitEinsum, SplitOptions};
use tensoroxide_einsum::{Einsum, Options, Plan};
use tensoroxide_tensor::{Complex32, Complex64, Real, Tensor, Threads, View};

fn ranks<R: Send>(size: usize, rank: impl Fn(&mut Group) -> R + Sync) -> Vec<R> {
    std::thread::scope(|scope| {
        let begin = |transport| {
            let rank = &rank;
            scope.spawn(move || rank(&mut Group::new(Box::new(transport), Duration::from_secs(20))))
        };
        let threads: Vec<_> = Loopback::ranks(size).into_iter().map(begin).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

/// The element that a tensor has at an index of the whole.
fn element<T: Element>(which: usize, index: &[usize]) -> T {
    let hash = index.iter().fold(which * 7 + 3, |hash, &i| (hash * 31 + i * 17 + 5) % 1009);
    T::from_c64(Complex64::new(hash as f64 / 1009.0 - 0.5, (hash * 13 % 101) as f64 / 101.0 - 0.5))
}

/// What `size` ranks make, put together, against the contraction of the whole tensors.
fn check<T: Element>(
    expression: &str,
    shapes: &[&[usize]],
    axes: &[Option<usize>],
    output: Option<usize>,
    size: usize,
) {
    let whole = |i: usize, shape: &[usize]| Tensor::<T>::from_fn(shape, |at| element(i, at)).unwrap();
    let operands: Vec<Tensor<T>> = shapes.iter().enumerate().map(|(i, shape)| whole(i, shape)).collect();
    let plan = Plan::new(expression, shapes, T::DTYPE, Options::default()).unwrap();
    let out = plan.output_shape();
    let mut expected = whole(99, &out);
    let (alpha, beta) = (T::from_c64(Complex64::new(0.5, 1.0)), T::from_c64(Complex64::new(-1.0, 0.5)));
    let conj: Vec<bool> = (0..shapes.len()).map(|i| i == 1).collect();
    let views: Vec<View<'_, T>> = operands.iter().map(Tensor::view).collect();
    Einsum::new(plan).run(alpha, &views, &conj, beta, expected.view_mut().unwrap(), Threads::ONE).unwrap();

    let parts = ranks(size, |group| {
        let einsum = SplitEinsum::<T>::new(group, expression, shapes, axes, output, SplitOptions::default()).unwrap();
        let (rank, size) = (group.rank(), group.size());
        let part = |i: usize, shape: &[usize], axis: Option<usize>| {
            let start = axis.map_or(0, |axis| range(shape[axis], rank, size).start);
            let shape = einsum.local_shape(i.min(shapes.len()));
            Tensor::<T>::from_fn(&shape, |at| {
                let mut at = at.to_vec();
                axis.iter().for_each(|&axis| at[axis] += start);
                element(i, &at)
            })
            .unwrap()
        };
        let locals: Vec<Tensor<T>> = shapes.iter().zip(axes).enumerate().map(|(i, (s, &a))| part(i, s, a)).collect();
        let mut c = part(99, &out, output);
        let views: Vec<View<'_, T>> = locals.iter().map(Tensor::view).collect();
        einsum.run(group, alpha, &views, &conj, beta, c.view_mut().unwrap()).unwrap();
        (rank, c)
    });
    for (rank, part) in parts {
        let start = output.map_or(0, |axis| range(out[axis], rank, size).start);
        let mut worst = 0.0f64;
        let mut index = Vec::new();
        Tensor::<T>::from_fn(part.layout().shape(), |at| {
            index.push(at.to_vec());
            T::ZERO
        })
        .unwrap();
        for at in index {
            let mut global = at.clone();
            output.iter().for_each(|&axis| global[axis] += start);
            let (x, y) = (part.view().get(&at).unwrap().to_c64(), expected.view().get(&global).unwrap().to_c64());
            worst = worst.max((x - y).norm());
        }
        // Sums of at most some thousand products below 1.
        assert!(worst <= 2e3 * T::Real::EPSILON.to_f64(), "{expression}, rank {rank} of {size}: {worst}");
    }
}

fn everything<T: Element>(sizes: &[usize]) {
    for &size in sizes {
        let matrices: [&[usize]; 2] = [&[8, 9], &[9, 7]];
        for a in [None, Some(0), Some(1)] {
            for b in [None, Some(0), Some(1)] {
                for c in [None, Some(0), Some(1)] {
                    check::<T>("ij,jk->ik", &matrices, &[a, b], c, size);
                }
            }
        }
        // A batch; a number; more ranks than values.
        check::<T>("bij,bjk->bik", &[&[5, 3, 4], &[5, 4, 3]], &[Some(0), Some(2)], Some(0), size);
        check::<T>("ij,ij->", &[&[6, 5], &[6, 5]], &[Some(0), Some(1)], None, size);
        check::<T>("ij,jk->ik", &[&[2, 3], &[3, 2]], &[Some(0), Some(1)], Some(1), size);
        // Two sites of a matrix product state under an effective Hamiltonian, each tensor split along a bond.
        let shapes: [&[usize]; 5] = [&[9, 4, 9], &[4, 2, 2, 4], &[4, 2, 2, 4], &[8, 4, 8], &[9, 2, 2, 8]];
        let axes = [Some(2), None, None, Some(0), Some(0)];
        check::<T>("awA,wstv,vuxy,byB,AtxB->asub", &shapes, &axes, Some(0), size);
    }
}

#[test]
fn parts_are_those_of_the_whole() {
    everything::<f32>(&[2]);
    everything::<f64>(&[1, 3, 4]);
    everything::<Complex32>(&[2]);
    everything::<Complex64>(&[3]);
}

#[test]
fn what_cannot_be_split_is_refused_on_all_ranks() {
    ranks(2, |group| {
        let mut refused = |expression: &str, shapes: &[&[usize]], axes: &[Option<usize>], output: Option<usize>| {
            let options = SplitOptions::default();
            let error = SplitEinsum::<f64>::new(group, expression, shapes, axes, output, options).unwrap_err();
            assert!(matches!(error, Error::Argument(_)), "{error}");
        };
        refused("ij->ji", &[&[4, 4]], &[Some(0)], None);
        refused("ii,ij->j", &[&[4, 4], &[4, 4]], &[Some(0), None], None);
        refused("ij,jk->ik", &[&[4, 4], &[4, 4]], &[Some(2), None], None);
        refused("ij,jk->ik", &[&[4, 4], &[4, 4]], &[Some(0)], None);
        // An outer product of two that are split: one of them would have to be whole.
        refused("i,j->ij", &[&[4], &[4]], &[Some(0), Some(0)], Some(0));
        let shapes: [&[usize]; 2] = [&[64, 64], &[64, 64]];
        let options = SplitOptions { memory_limit: Some(1000), ..SplitOptions::default() };
        let error = SplitEinsum::<f64>::new(group, "ij,jk->ik", &shapes, &[Some(1), Some(0)], Some(0), options);
        assert!(matches!(
            error,
            Err(Error::Einsum(tensoroxide_einsum::Error::MemoryLimit { .. }) | Error::Remote { .. })
        ));
    });
}

#[test]
fn no_rank_takes_as_much_as_a_whole_tensor() {
    let n = 64usize;
    for size in [4, 8] {
        let peaks = ranks(size, |group| {
            let (shapes, options) = ([&[n, n][..], &[n, n]], SplitOptions::default());
            let axes = [Some(1), Some(0)];
            let einsum = SplitEinsum::<f64>::new(group, "ij,jk->ik", &shapes, &axes, Some(0), options).unwrap();
            einsum.sent_bytes()
        });
        // Each rank sends the parts of the others: n²/size elements to each.
        assert!(peaks.iter().all(|&sent| sent == (size - 1) * n * n / size * 8), "{peaks:?}");
    }
}

#[test]
fn sums_have_the_same_bits_on_all_ranks() {
    for size in [1, 2, 3, 5] {
        let sums = ranks(size, |group| {
            let mut numbers: Vec<f64> = (0..7).map(|i| 1.0 / (i + 3 * group.rank() + 1) as f64).collect();
            sum(group, &mut numbers).unwrap();
            numbers
        });
        assert!(sums.iter().all(|numbers| *numbers == sums[0]));
        let expected: f64 = (0..size).map(|rank| 1.0 / (3 * rank + 1) as f64).sum();
        assert_eq!(sums[0][0], expected);
    }
}
