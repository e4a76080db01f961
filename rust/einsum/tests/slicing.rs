//! What slicing costs where memory is short: on the eight public networks of `benchmark/instances`, along the paths
//! that came with them.

use tensoroxide_einsum::network::Network;
use tensoroxide_einsum::notation::Expression;
use tensoroxide_einsum::path::{Form, Minimize, Path, Search};
use tensoroxide_einsum::{Einsum, Error, Options, Plan};
use tensoroxide_tensor::{DType, Tensor, Threads, View};

struct Instance {
    name: String,
    expression: String,
    shapes: Vec<Vec<usize>>,
    path: Path,
}

/// What stands in a file of an instance after a key, up to the end of its list or text.
fn after<'a>(text: &'a str, key: &str) -> &'a str {
    let start = text.find(&format!("\"{key}\":")).expect(key) + key.len() + 3;
    let rest = &text[start..];
    let mut depth = 0;
    let end = rest.char_indices().find(|&(i, c)| {
        depth += i32::from(c == '[') - i32::from(c == ']');
        depth == 0 && i > 0 && (c == ']' || c == '"' || c == '}')
    });
    &rest[..end.expect(key).0 + 1]
}

fn instances() -> Vec<Instance> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../benchmark/instances");
    let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    let mut files: Vec<_> = files.filter(|path| path.extension().is_some_and(|e| e == "json")).collect();
    files.sort();
    let read = |file: &std::path::PathBuf| {
        let text = std::fs::read_to_string(file).unwrap();
        let expression = after(&text, "format_string_colmajor").trim_matches('"').to_owned();
        let shapes = after(&text, "shapes_colmajor");
        let shapes = shapes[1..shapes.len() - 1].split("],").map(|shape| {
            let extents = shape.trim_matches(['[', ']']).split(',').filter(|extent| !extent.is_empty());
            extents.map(|extent| extent.parse().unwrap()).collect::<Vec<usize>>()
        });
        let shapes: Vec<Vec<usize>> = shapes.collect();
        let sizes: Vec<&[usize]> = shapes.iter().map(Vec::as_slice).collect();
        let network = Network::new(&Expression::parse(&expression).unwrap(), &sizes).unwrap();
        let path = after(&text[text.find("\"opt_flops\"").unwrap()..], "path");
        let path = Path::read(path, Form::OptEinsum, &network).unwrap();
        Instance { name: file.file_stem().unwrap().to_str().unwrap().to_owned(), expression, shapes, path }
    };
    files.iter().map(read).collect()
}

impl Instance {
    fn plan(&self, memory_limit: Option<usize>, threads: usize) -> Plan {
        let shapes: Vec<&[usize]> = self.shapes.iter().map(Vec::as_slice).collect();
        let (path, threads) = (Some(self.path.clone()), Threads::new(threads));
        let options = Options { memory_limit, threads, path, ..Options::default() };
        Plan::new(&self.expression, &shapes, DType::F64, options).unwrap_or_else(|e| panic!("{}: {e}", self.name))
    }

    /// Operands of small numbers, whose products stay near 1.
    fn operands(&self) -> Vec<Tensor<f64>> {
        let mut state = 1u64;
        let mut next = |shape: &[usize]| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let size = (shape.iter().product::<usize>() as f64).powf(-0.5);
            size * ((state >> 11) as f64 / (1u64 << 52) as f64 - 0.7)
        };
        self.shapes.iter().map(|shape| Tensor::from_fn(shape, |_| next(shape)).unwrap()).collect()
    }
}

/// Chains of tensors that are all about equally large: no label runs through more than a few of the many peaks.
const CHAINS: [&str; 2] = ["str_matrix_chain_multiplication_100", "str_mps_varying_inner_product_200"];

/// To halve the memory takes two slices where one label runs through the peak; a few more where the rest does not
/// shrink. Little is computed again for each, or another label would be sliced. And most of what is allowed is used, or
/// fewer slices would do.
#[test]
fn half_and_a_quarter_of_the_memory_take_few_slices() {
    for instance in instances().iter().filter(|instance| !CHAINS.contains(&instance.name.as_str())) {
        let whole = instance.plan(None, 1);
        for share in [2, 4] {
            let limit = whole.peak_bytes() / share;
            let sliced = instance.plan(Some(limit), 1);
            let (slices, overhead) = (sliced.slices(), sliced.slicing_overhead());
            let (name, peak) = (&instance.name, sliced.peak_bytes());
            assert!(peak <= limit, "{name}: {sliced}");
            assert!(slices <= 3 * share, "{name}, 1/{share}: {slices} slices\n{sliced}");
            assert!(slices == 1 || peak > limit / 2, "{name}, 1/{share}: {peak} of {limit} bytes are used\n{sliced}");
            assert!(overhead <= 1.1, "{name}, 1/{share}: {overhead} times the flops\n{sliced}");
        }
    }
}

/// Of the slices of one label the last is often shorter than the others.
#[test]
fn slices_of_several_values_give_the_same_result() {
    for instance in instances().iter().filter(|instance| instance.name.starts_with("lm_")) {
        let operands = instance.operands();
        let views: Vec<View<'_, f64>> = operands.iter().map(Tensor::view).collect();
        let run = |plan: Plan, threads: usize| {
            let mut out = Tensor::from_fn(&plan.output_shape(), |i| i.iter().sum::<usize>() as f64).unwrap();
            let conj = vec![false; views.len()];
            let einsum = Einsum::new(plan);
            einsum.run(2.0, &views, &conj, 0.0, out.view_mut().unwrap(), Threads::new(threads)).unwrap();
            out.data().to_vec()
        };
        let whole = instance.plan(None, 1);
        let limit = whole.peak_bytes() / 2;
        let expected = run(whole, 1);
        let scale = expected.iter().fold(0.0, |most: f64, x| most.max(x.abs()));
        for (limit, threads) in [(limit, 1), (limit, 2), (limit / 3, 1), (limit / 10, 3)] {
            let plan = instance.plan(Some(limit), threads);
            let text = plan.to_string();
            assert!(plan.slices() > 1 && plan.peak_bytes() <= limit && text.contains("at a time"), "{text}");
            for (x, y) in run(plan, threads).iter().zip(&expected) {
                // The same sums in another order, of numbers of one sign each: some roundings.
                assert!((x - y).abs() <= 1e-12 * scale, "{x} {y}, {text}");
            }
        }
    }
}

/// No choice of slices is of use then, and a plan that would run for years is none.
#[test]
fn what_would_take_too_many_slices_is_refused() {
    let instances = instances();
    let chain = instances.iter().find(|instance| instance.name == CHAINS[1]).unwrap();
    let shapes: Vec<&[usize]> = chain.shapes.iter().map(Vec::as_slice).collect();
    let limit = chain.plan(None, 1).peak_bytes() / 4;
    let options = Options { memory_limit: Some(limit), path: Some(chain.path.clone()), ..Options::default() };
    let refused = Plan::new(&chain.expression, &shapes, DType::F64, options);
    assert!(matches!(refused, Err(Error::MemoryLimit { needed, .. }) if needed > limit), "{refused:?}");
}

/// A slice is as large as the largest tensor, so that the search for small ones has to be as good as that for fast
/// paths.
#[test]
fn the_path_of_least_size_makes_no_larger_tensor_than_the_fast_one() {
    for instance in instances() {
        let shapes: Vec<&[usize]> = instance.shapes.iter().map(Vec::as_slice).collect();
        let size = |minimize: Minimize, seconds: Option<f64>| {
            let options = Options { search: Search { minimize, seconds, seed: 0 }, ..Options::default() };
            Plan::new(&instance.expression, &shapes, DType::F64, options).unwrap().log2_size()
        };
        let fast = size(Minimize::Time, Some(0.1));
        for seconds in [None, Some(0.2), Some(1.0)] {
            let small = size(Minimize::Size, seconds);
            assert!(
                small <= fast,
                "{}, {seconds:?} seconds: 2^{small} elements, 2^{fast} of the fast one",
                instance.name
            );
        }
    }
}
