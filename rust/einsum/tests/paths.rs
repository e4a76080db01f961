//! Contraction paths against definitions: what they cost, that the exhaustive search finds the least, that more search
//! is never worse, that the same input gives the same path, and how good paths of known networks are.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;

use proptest::prelude::*;
use tensoroxide_einsum::path::{estimate, search, Form, Minimize, Path, Search};
use tensoroxide_einsum::{network::Network, notation::Expression};
use tensoroxide_tensor::testing::config;
use tensoroxide_tensor::DType;

const EVERY: [Minimize; 3] = [Minimize::Flops, Minimize::Size, Minimize::Time];

/// Labels of each operand and of the output, and extents.
#[derive(Clone, Debug)]
struct Given {
    operands: Vec<Vec<u32>>,
    output: Vec<u32>,
    extents: Vec<usize>,
}

impl Given {
    /// The text of it, with a letter for each label.
    fn expression(&self) -> String {
        let letters = |labels: &Vec<u32>| -> String {
            labels.iter().map(|&label| char::from_u32(0x4e00 + label).unwrap()).collect()
        };
        let terms: Vec<String> = self.operands.iter().map(letters).collect();
        format!("{}->{}", terms.join(","), letters(&self.output))
    }

    fn network(&self) -> Network {
        let shape = |labels: &Vec<u32>| labels.iter().map(|&label| self.extents[label as usize]).collect();
        let shapes: Vec<Vec<usize>> = self.operands.iter().map(shape).collect();
        let shapes: Vec<&[usize]> = shapes.iter().map(Vec::as_slice).collect();
        Network::new(&Expression::parse(&self.expression()).unwrap(), &shapes).unwrap()
    }

    /// Multiplications, elements of the largest result, and elements taken and made, step by step.
    fn cost(&self, path: &Path) -> (f64, f64, f64) {
        let count = |labels: &BTreeSet<u32>| labels.iter().map(|&l| self.extents[l as usize] as f64).product::<f64>();
        let mut tensors: BTreeMap<usize, BTreeSet<u32>> =
            self.operands.iter().map(|labels| labels.iter().copied().collect()).enumerate().collect();
        let output: BTreeSet<u32> = self.output.iter().copied().collect();
        let needed = |tensors: &BTreeMap<usize, BTreeSet<u32>>, label: u32| {
            output.contains(&label) || tensors.values().any(|labels| labels.contains(&label))
        };
        // What a single operand has is summed first.
        for t in 0..self.operands.len() {
            let labels = tensors.remove(&t).unwrap();
            let labels = labels.into_iter().filter(|&label| needed(&tensors, label)).collect();
            tensors.insert(t, labels);
        }
        let (mut products, mut largest, mut moved) = (0.0, 0f64, 0.0);
        for (k, &(a, b)) in path.0.iter().enumerate() {
            let (a, b) = (tensors.remove(&a).unwrap(), tensors.remove(&b).unwrap());
            let both: BTreeSet<u32> = a.union(&b).copied().collect();
            let made: BTreeSet<u32> = both.iter().copied().filter(|&label| needed(&tensors, label)).collect();
            products += count(&both);
            largest = largest.max(count(&made));
            moved += count(&a) + count(&b) + count(&made);
            tensors.insert(self.operands.len() + k, made);
        }
        assert_eq!(tensors.len(), 1, "one tensor is left");
        (products, largest, moved)
    }

    /// All paths.
    fn every_path(&self, path: &mut Path, left: Vec<usize>, visit: &mut impl FnMut(&Path)) {
        if left.len() == 1 {
            return visit(path);
        }
        for i in 0..left.len() {
            for j in i + 1..left.len() {
                let mut rest: Vec<usize> = left.iter().copied().filter(|&t| t != left[i] && t != left[j]).collect();
                rest.push(self.operands.len() + path.0.len());
                path.0.push((left[i], left[j]));
                self.every_path(path, rest, visit);
                path.0.pop();
            }
        }
    }
}

/// Operands of up to `rank` labels out of `labels`, some of them of many operands, of one, or of extents 0 and 1; so
/// there are hyperedges, disconnected parts, scalars and outer products.
fn given(operands: std::ops::Range<usize>, labels: usize, rank: usize) -> impl Strategy<Value = Given> {
    let extent = prop_oneof![1 => Just(1usize), 10 => 2usize..9];
    let set = || proptest::collection::vec(0..labels as u32, 0..=rank);
    (proptest::collection::vec(set(), operands), set(), proptest::collection::vec(extent, labels)).prop_map(
        |(operands, mut output, extents)| {
            output.retain(|label| operands.iter().flatten().any(|other| other == label));
            Given { operands, output, extents }
        },
    )
}

fn request(minimize: Minimize, seconds: f64) -> Search {
    Search { minimize, seed: 1, seconds: Some(seconds) }
}

proptest! {
    #![proptest_config(config(60))]

    #[test]
    fn a_small_network_gets_the_best_of_all_paths(given in given(2..6, 7, 3)) {
        let network = given.network();
        let (mut flops, mut size, mut time) = (f64::INFINITY, f64::INFINITY, f64::INFINITY);
        given.every_path(&mut Path::default(), (0..given.operands.len()).collect(), &mut |path| {
            let (products, largest, _) = given.cost(path);
            (flops, size) = (flops.min(products), size.min(largest));
            time = time.min(estimate(&network, path, DType::F64));
        });
        let found = |minimize| search(&network, DType::F64, &request(minimize, 0.0));
        // 3·10⁻⁹ is what the tie-break between equal numbers of multiplications can amount to.
        prop_assert!(given.cost(&found(Minimize::Flops)).0 <= flops * (1.0 + 3e-9));
        prop_assert_eq!(given.cost(&found(Minimize::Size)).1, size);
        // Sums in another order.
        prop_assert!(estimate(&network, &found(Minimize::Time), DType::F64) <= time * (1.0 + 1e-12));
    }

    #[test]
    fn paths_cost_what_they_say_by_definition(given in given(2..30, 30, 4)) {
        let network = given.network();
        for minimize in EVERY {
            let path = search(&network, DType::F64, &request(minimize, 1e-4));
            let (products, largest, moved) = given.cost(&path);
            let cost = path.cost(&network);
            // Rounding of sums of logarithms.
            prop_assert!((cost.log2_multiplications - products.log2()).abs() < 1e-9);
            prop_assert!((cost.log2_size - largest.log2()).abs() < 1e-9);
            // The time model is a sum of just these, linear in each.
            let steps = path.0.len() as f64;
            let time = estimate(&network, &path, DType::F64);
            prop_assert!((time / (0.025 * products + 0.5 * moved + 400.0 * steps) - 1.0).abs() < 1e-9);
        }
    }

    #[test]
    fn more_search_is_never_worse(given in given(10..40, 40, 4)) {
        let network = given.network();
        for minimize in EVERY {
            let judge = |seconds| {
                let path = search(&network, DType::F64, &request(minimize, seconds));
                let (products, largest, _) = given.cost(&path);
                match minimize {
                    Minimize::Flops => products,
                    Minimize::Size => largest,
                    Minimize::Time => estimate(&network, &path, DType::F64),
                }
            };
            let (greedy, some, more) = (judge(0.0), judge(1e-4), judge(2e-3));
            prop_assert!(some <= greedy * (1.0 + 1e-8), "{minimize:?}: {some} after {greedy}");
            prop_assert!(more <= greedy * (1.0 + 1e-8), "{minimize:?}: {more} after {greedy}");
        }
    }

    #[test]
    fn every_form_comes_back(given in given(1..20, 12, 4)) {
        let (network, expression) = (given.network(), given.expression());
        let path = search(&network, DType::F64, &request(Minimize::Time, 1e-5));
        for form in [Form::OptEinsum, Form::Ssa, Form::Tree, Form::OmEinsum, Form::Stored] {
            let again = Path::read(&path.write(form, &network, &expression), form, &network).unwrap();
            let (cost, cost_again) = (given.cost(&path), given.cost(&again));
            prop_assert_eq!(cost.1, cost_again.1);
            // The steps of a tree may come in another order.
            prop_assert!((cost.0 - cost_again.0).abs() <= 1e-12 * cost.0);
            if !matches!(form, Form::Tree | Form::OmEinsum) {
                prop_assert_eq!(&path, &again);
            }
        }
    }

    #[test]
    fn any_text_is_a_path_or_is_refused(text in "[\\[\\], 0-9{}\":a-z\\-]{0,40}") {
        let network = Given { operands: vec![vec![0], vec![0], vec![0]], output: vec![], extents: vec![2] }.network();
        for form in [Form::OptEinsum, Form::Ssa, Form::Tree, Form::OmEinsum, Form::Stored] {
            if let Ok(path) = Path::read(&text, form, &network) {
                prop_assert_eq!(path.0.len(), 2);
            }
        }
    }
}

/// Tensors on the sites of a square, bonds between neighbours.
fn lattice(side: usize, extent: usize) -> Given {
    let mut operands = vec![Vec::new(); side * side];
    let mut labels = 0;
    for i in 0..side {
        for j in 0..side {
            for (x, y) in [(i + 1, j), (i, j + 1)] {
                if x < side && y < side {
                    operands[i * side + j].push(labels);
                    operands[x * side + y].push(labels);
                    labels += 1;
                }
            }
        }
    }
    Given { operands, output: Vec::new(), extents: vec![extent; labels as usize] }
}

/// The inner product of two matrix product states.
fn inner_product(sites: usize, bond: usize) -> Given {
    let (mut operands, mut extents) = (Vec::new(), vec![bond, bond]);
    for _ in 0..sites {
        let next = extents.len() as u32;
        extents.extend([2, bond, bond]);
        operands.push(vec![next - 2, next, next + 1]);
        operands.push(vec![next - 1, next, next + 2]);
    }
    Given { operands, output: Vec::new(), extents }
}

/// A graph whose vertices have three neighbours, drawn with a fixed generator; vertices may be joined twice.
fn regular(vertices: usize) -> Given {
    let mut ends: Vec<usize> = (0..3 * vertices).map(|end| end / 3).collect();
    let mut state = 7u64;
    for i in (1..ends.len()).rev() {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        ends.swap(i, (state >> 33) as usize % (i + 1));
    }
    let mut operands = vec![Vec::new(); vertices];
    for (label, pair) in ends.chunks(2).enumerate() {
        pair.iter().for_each(|&vertex| operands[vertex].push(label as u32));
    }
    Given { operands, output: Vec::new(), extents: vec![2; ends.len() / 2] }
}

#[test]
fn a_lattice_is_contracted_as_well_as_is_known() {
    // 10 × 10 sites with bonds of 4: cotengra's hyper-optimiser reaches 2^30.96 multiplications and 2^22 elements in
    // 1.4 s.
    let (given, mut best) = (lattice(10, 4), f64::INFINITY);
    for seed in 0..3 {
        for minimize in [Minimize::Flops, Minimize::Time] {
            let path = search(&given.network(), DType::F64, &Search { minimize, seed, seconds: Some(0.03) });
            let cost = path.cost(&given.network());
            assert!(cost.log2_size <= 22.0 && cost.log2_multiplications < 31.4, "{minimize:?} {seed}: {cost:?}");
            best = best.min(cost.log2_multiplications);
        }
    }
    assert!(best < 30.96, "{best}");
}

#[test]
fn a_chain_of_matrices_is_bracketed_as_cheaply_as_can_be() {
    let sizes: Vec<usize> = (0..61).map(|i| 3 + (i * i * 37 + 11 * i) % 97).collect();
    let operands = (0..60).map(|i| vec![i, i + 1]).collect();
    let given = Given { operands, output: vec![0, 60], extents: sizes.clone() };
    // least[i][j]: the multiplications of the matrices i to j (Godbole, IEEE Trans. Comput. C-22, 864 (1973)).
    let mut least = vec![vec![0.0f64; 60]; 60];
    for length in 2..=60 {
        for i in 0..=60 - length {
            let j = i + length - 1;
            let split = |k: usize| least[i][k] + least[k + 1][j] + (sizes[i] * sizes[k + 1] * sizes[j + 1]) as f64;
            least[i][j] = (i..j).map(split).fold(f64::INFINITY, f64::min);
        }
    }
    let path = search(&given.network(), DType::F64, &request(Minimize::Flops, 0.02));
    let ratio = given.cost(&path).0 / least[0][59];
    assert!((0.999..1.001).contains(&ratio), "{ratio}");
}

#[test]
fn large_networks_take_little() {
    let started = std::time::Instant::now();
    // An inner product is best contracted from site to site.
    let states = inner_product(1000, 8);
    let path = search(&states.network(), DType::F64, &Search::default());
    assert!(path.cost(&states.network()).log2_size <= 7.0);
    assert!(path.cost(&states.network()).log2_multiplications < (1000.0 * 2048.0f64).log2() + 0.1);
    let path = search(&lattice(30, 2).network(), DType::F64, &request(Minimize::Flops, 0.1));
    let size = path.cost(&lattice(30, 2).network()).log2_size;
    assert!(size < 37.0, "{size}");
    let path = search(&regular(300).network(), DType::F64, &request(Minimize::Flops, 0.05));
    let size = path.cost(&regular(300).network()).log2_size;
    assert!(size < 50.0, "{size}");
    // More labels than are annealed at once.
    let products = |seconds| {
        let network = lattice(50, 2).network();
        search(&network, DType::F64, &request(Minimize::Flops, seconds)).cost(&network).log2_multiplications
    };
    let (greedy, annealed) = (products(0.0), products(0.3));
    assert!(annealed < greedy - 5.0, "{annealed} after {greedy}");
    // One label that all tensors have, each with one of its own.
    let star = Given { operands: (0..4000).map(|i| vec![0, 1 + i]).collect(), output: vec![0], extents: vec![3; 4001] };
    let path = search(&star.network(), DType::F64, &Search::default());
    assert_eq!(path.cost(&star.network()).log2_size, 3f64.log2());
    // Quadratic time would be minutes.
    assert!(started.elapsed().as_secs() < 60);
}

#[test]
fn sizes_beyond_what_a_number_holds_are_logarithms() {
    // Rings of matrices of 2³⁰ × 2³⁰ in a product: no order is cheap.
    let wide = 1usize << 30;
    for count in [8, 40] {
        let mut operands: Vec<Vec<u32>> = (0..count).map(|i| (0..40).map(|k| 40 * i + k).collect()).collect();
        for i in 0..count as usize {
            let next = operands[(i + 1) % count as usize][..20].to_vec();
            operands[i][20..].copy_from_slice(&next);
        }
        let mut labels: Vec<u32> = operands.concat();
        labels.sort_unstable();
        labels.dedup();
        operands.iter_mut().flatten().for_each(|label| *label = labels.binary_search(label).unwrap() as u32);
        let given = Given { operands, output: Vec::new(), extents: vec![2; labels.len()] };
        let mut network = given.network();
        network.extents.iter_mut().for_each(|extent| *extent = wide);
        for minimize in EVERY {
            let cost = search(&network, DType::C64, &request(minimize, 1e-3)).cost(&network);
            assert_eq!(cost.log2_size, 1200.0, "{count} {minimize:?}");
            // All but the last two steps multiply three bundles of 600.
            assert!((cost.log2_multiplications - 1800.0).abs() < 6.0, "{count} {minimize:?} {cost:?}");
        }
    }
}

#[test]
fn an_extent_of_zero_is_no_trouble() {
    let mut given = lattice(5, 2);
    given.extents[7] = 0;
    given.extents[20] = 0;
    for minimize in EVERY {
        assert_eq!(search(&given.network(), DType::F64, &request(minimize, 1e-3)).0.len(), 24);
    }
}

/// Paths that chance has a part in, as text.
fn drawn(seed: u64) -> String {
    let mut text = String::new();
    for given in [lattice(7, 3), regular(60), inner_product(30, 5)] {
        for minimize in EVERY {
            for seconds in [None, Some(5e-3)] {
                let path = search(&given.network(), DType::F64, &Search { minimize, seed, seconds });
                text += &path.write(Form::Ssa, &given.network(), "");
            }
        }
    }
    text
}

#[test]
fn one_seed_has_one_path_in_every_thread_and_process() {
    const CHILD: &str = "TENSOROXIDE_TEST_PRINT_PATHS";
    let here = drawn(3);
    if std::env::var_os(CHILD).is_some() {
        // The other process.
        writeln!(std::io::stdout(), "paths: {here}").unwrap();
        return;
    }
    assert_ne!(here, drawn(4), "another seed");
    let threads: Vec<_> = (0..3).map(|_| std::thread::spawn(|| drawn(3))).collect();
    threads.into_iter().for_each(|thread| assert_eq!(thread.join().unwrap(), here));
    let name = "one_seed_has_one_path_in_every_thread_and_process";
    let mut child = std::process::Command::new(std::env::current_exe().unwrap());
    let output = child.args(["--exact", name, "--nocapture"]).env(CHILD, "1").output().unwrap();
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    let there = text.lines().find_map(|line| line.split_once("paths: ")).unwrap().1;
    assert_eq!(there, here);
}
