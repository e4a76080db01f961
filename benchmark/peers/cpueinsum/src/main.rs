//! cpueinsum as a peer of the benchmark: `peer THREADS`.
//!
//! Answers the requests that `../../../peers.jl` describes. Arrays are column-major. A contraction is planned once, into
//! an output that is kept, with workspace that is kept: what is timed is the run of a plan.

use std::collections::HashMap;
use std::error::Error;
use std::io::{BufRead, Write};
use std::time::Instant;

use cpueinsum::strided_view::{StridedView, StridedViewMut};
use cpueinsum::{ArenaProvider, EinsumPlan, EinsumSpec, Exec, Layout, Pool, Scalar, Scratch};
use num_complex::Complex;

type Fallible<T> = Result<T, Box<dyn Error>>;

/// One loaded contraction.
trait Task {
    fn run(&mut self, exec: &mut Exec<'_>) -> Fallible<()>;
    fn result(&self) -> Vec<u8>;
}

struct Contraction<T: Element> {
    plan: EinsumPlan<T>,
    inputs: Vec<StridedView<'static, T>>,
    output: Vec<T>,
    dims: Vec<usize>,
    strides: Vec<isize>,
    scratch: Scratch<T>,
}

impl<T: Element> Task for Contraction<T> {
    fn run(&mut self, exec: &mut Exec<'_>) -> Fallible<()> {
        let mut output = StridedViewMut::new(&mut self.output, &self.dims, &self.strides, 0)?;
        Ok(self.plan.execute_into(exec, &self.inputs, &mut output, &mut self.scratch)?)
    }

    fn result(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.output.iter().for_each(|x| x.append_to(&mut bytes));
        bytes
    }
}

trait Element: Scalar {
    const BYTES: usize;
    fn from_bytes(bytes: &[u8]) -> Self;
    fn append_to(&self, bytes: &mut Vec<u8>);
}

macro_rules! elements {
    ($($real:ty),*) => {$(
        impl Element for $real {
            const BYTES: usize = size_of::<$real>();
            fn from_bytes(bytes: &[u8]) -> Self {
                <$real>::from_ne_bytes(bytes.try_into().expect("a chunk of BYTES bytes"))
            }
            fn append_to(&self, bytes: &mut Vec<u8>) {
                bytes.extend(self.to_ne_bytes());
            }
        }
        impl Element for Complex<$real> {
            const BYTES: usize = 2 * size_of::<$real>();
            fn from_bytes(bytes: &[u8]) -> Self {
                let (re, im) = bytes.split_at(size_of::<$real>());
                Complex::new(<$real>::from_bytes(re), <$real>::from_bytes(im))
            }
            fn append_to(&self, bytes: &mut Vec<u8>) {
                self.re.append_to(bytes);
                self.im.append_to(bytes);
            }
        }
    )*};
}
elements!(f32, f64);

fn contraction<T: Element>(expression: &str, shapes: &str, path: &str, file: &str) -> Fallible<Box<dyn Task>> {
    let (inputs, output) = expression.split_once("->").ok_or("the expression has no ->")?;
    let labels = |term: &str| term.chars().map(|c| i64::from(u32::from(c))).collect::<Vec<_>>();
    let terms: Vec<Vec<i64>> = inputs.split(',').map(labels).collect();
    let output = labels(output);
    let shapes: Vec<Vec<usize>> = shapes.split(';').map(|s| integers(s, 'x')).collect::<Fallible<_>>()?;
    let spec = EinsumSpec::new(&terms.iter().map(Vec::as_slice).collect::<Vec<_>>(), &output, &tree(path, terms.len())?)?;

    let extents: HashMap<i64, usize> =
        terms.iter().flatten().copied().zip(shapes.iter().flatten().copied()).collect();
    let dims: Vec<usize> = output.iter().map(|label| extents[label]).collect();
    let strides = column_major(&dims);
    let input_strides: Vec<Vec<isize>> = shapes.iter().map(|shape| column_major(shape)).collect();
    let layouts =
        shapes.iter().zip(&input_strides).map(|(d, s)| Layout::new(d, s)).collect::<Result<Vec<_>, _>>()?;
    let plan = EinsumPlan::new(&spec, &layouts, Layout::new(&dims, &strides)?)?;

    let data = std::fs::read(file)?;
    let mut values = data.chunks_exact(T::BYTES).map(T::from_bytes);
    let mut inputs = Vec::new();
    for (shape, strides) in shapes.iter().zip(&input_strides) {
        // The process lives as long as its tasks.
        let operand: &'static [T] = Vec::leak(values.by_ref().take(shape.iter().product()).collect());
        inputs.push(StridedView::new(operand, shape, strides, 0)?);
    }
    let output = vec![T::default(); dims.iter().product()];
    let scratch = Scratch::with_len(plan.scratch_len());
    Ok(Box::new(Contraction { plan, inputs, output, dims, strides, scratch }))
}

/// The path, positions in the shrinking list of operands, as pairs of operands numbered in the order of their making.
fn tree(path: &str, operands: usize) -> Fallible<Vec<[usize; 2]>> {
    let mut present: Vec<usize> = (0..operands).collect();
    let mut pairs = Vec::new();
    for step in path.split(';').filter(|step| !step.is_empty()) {
        let mut at = integers(step, ',')?;
        at.sort_unstable();
        let [low, high] = at[..] else { return Err(format!("the step {step} is not a pair").into()) };
        let second = present.remove(high);
        pairs.push([present.remove(low), second]);
        present.push(operands + pairs.len() - 1);
    }
    Ok(pairs)
}

fn column_major(dims: &[usize]) -> Vec<isize> {
    dims.iter().scan(1, |next, &d| Some(std::mem::replace(next, *next * d as isize))).collect()
}

fn integers(text: &str, separator: char) -> Fallible<Vec<usize>> {
    text.split(separator).filter(|n| !n.is_empty()).map(|n| Ok(n.parse()?)).collect()
}

/// The mean over as many runs as take `least` seconds.
fn seconds_per_run(task: &mut dyn Task, exec: &mut Exec<'_>, least: f64) -> Fallible<f64> {
    let mut n = 1_u64;
    loop {
        let start = Instant::now();
        for _ in 0..n {
            task.run(exec)?;
        }
        let total = start.elapsed().as_secs_f64();
        if total >= least {
            return Ok(total / n as f64);
        }
        n = (2 * n).max((n as f64 * least / total.max(1e-9)) as u64 + 1);
    }
}

fn answer(request: &[&str], tasks: &mut HashMap<String, Box<dyn Task>>, exec: &mut Exec<'_>) -> Fallible<String> {
    let known = "no such task";
    match *request {
        ["about"] => Ok(format!("cpueinsum {}", cpueinsum::VERSION)),
        ["contract", id, eltype, expression, shapes, path, file] => {
            let make = match eltype {
                "f32" => contraction::<f32>,
                "f64" => contraction::<f64>,
                "c32" => contraction::<Complex<f32>>,
                "c64" => contraction::<Complex<f64>>,
                _ => return Err("no such element type".into()),
            };
            tasks.insert(id.into(), make(expression, shapes, path, file)?);
            Ok(String::new())
        }
        ["time", id, least] => {
            let task = tasks.get_mut(id).ok_or(known)?;
            Ok(seconds_per_run(task.as_mut(), exec, least.parse()?)?.to_string())
        }
        ["write", id, file] => {
            let task = tasks.get_mut(id).ok_or(known)?;
            task.run(exec)?;
            std::fs::write(file, task.result())?;
            Ok(String::new())
        }
        ["forget", id] => tasks.remove(id).map(|_| String::new()).ok_or(known.into()),
        _ => Err("not a request that this peer answers".into()),
    }
}

fn main() -> Fallible<()> {
    let threads: usize = std::env::args().nth(1).ok_or("the number of threads is missing")?.parse()?;
    let team = threadteam::Pool::builder().threads(threads).build()?;
    let pool = Pool::borrow(&team);
    let arena = ArenaProvider::new();
    let mut exec = if threads == 1 { Exec::serial_with_workspace(&arena) } else { Exec::new(&pool, threads)? };
    let mut tasks = HashMap::new();
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        let request: Vec<&str> = line.split('\t').collect();
        match answer(&request, &mut tasks, &mut exec) {
            Ok(text) => println!("ok\t{text}"),
            Err(error) => println!("error\t{}", error.to_string().replace('\n', " ")),
        }
        std::io::stdout().flush()?;
    }
    Ok(())
}
