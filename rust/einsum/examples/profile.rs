//! Where the time of a contraction goes: what each step of an instance takes, along the path that came with it.
//!
//! `cargo run --release -p tensoroxide-einsum --example profile -- INSTANCE.json [opt_flops] [cm|rm] [runs]`
//!
//! An instance is a file like those in `benchmark/instances`. `cm` takes its column-major form, `rm` its row-major one,
//! read as a column-major expression with all labels in reverse. Steps that take less than a hundredth of the time are
//! left out.
#![allow(clippy::print_stdout)] // a program whose purpose is its output

use std::time::Instant;

use tensoroxide_einsum::network::Network;
use tensoroxide_einsum::notation::Expression;
use tensoroxide_einsum::path::{Form, Path};
use tensoroxide_einsum::{Einsum, Options, Plan};
use tensoroxide_tensor::{DType, Tensor, Threads};

/// What follows a key in a JSON text whose keys are known to come once, up to the bracket or the quote that ends it.
fn value<'a>(text: &'a str, key: &str) -> &'a str {
    let key = format!("\"{key}\":");
    let start = text.find(&key).unwrap_or_else(|| panic!("no {key} in the instance")) + key.len();
    let text = text[start..].trim_start();
    if let Some(text) = text.strip_prefix('"') {
        return text.split('"').next().expect("there always is a first part");
    }
    let mut depth = 0;
    for (i, c) in text.char_indices() {
        match c {
            '[' | '{' => depth += 1,
            ']' | '}' if depth == 1 => return &text[..=i],
            ']' | '}' => depth -= 1,
            _ => {}
        }
    }
    text
}

/// `[[2,3],[],[4]]`.
fn lists(text: &str) -> Vec<Vec<usize>> {
    let inner = text.trim().strip_prefix('[').and_then(|text| text.strip_suffix(']')).expect("a list");
    let list = |part: &str| part.split(',').filter_map(|number| number.trim().parse().ok()).collect();
    inner
        .split_inclusive(']')
        .filter_map(|part| part.split_once('['))
        .map(|(_, part)| list(&part.replace(']', "")))
        .collect()
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let file = arguments.next().ok_or("which instance?")?;
    let path = arguments.next().unwrap_or("opt_flops".into());
    let rows = arguments.next().is_some_and(|form| form == "rm");
    let runs = arguments.next().map_or(Ok(9), |runs| runs.parse())?;
    let text = std::fs::read_to_string(file)?;
    let (expression, shapes) = if rows {
        let reverse = |labels: &str| labels.chars().rev().collect::<String>();
        let (inputs, output) = value(&text, "format_string").split_once("->").ok_or("no arrow")?;
        let inputs: Vec<String> = inputs.split(',').map(reverse).collect();
        let mut shapes = lists(value(&text, "shapes"));
        shapes.iter_mut().for_each(|shape| shape.reverse());
        (format!("{}->{}", inputs.join(","), reverse(output)), shapes)
    } else {
        (value(&text, "format_string_colmajor").to_owned(), lists(value(&text, "shapes_colmajor")))
    };
    let shapes: Vec<&[usize]> = shapes.iter().map(Vec::as_slice).collect();
    let network = Network::new(&Expression::parse(&expression)?, &shapes)?;
    let path = Path::read(value(value(value(&text, "paths"), &path), "path"), Form::OptEinsum, &network)?;
    let plan = Plan::new(&expression, &shapes, DType::F64, Options { path: Some(path), ..Options::default() })?;

    // Around the reciprocal of what multiplies: no value overflows on the way.
    let filled = |shape: &&[usize]| {
        let scale = 1.0 / (shape.iter().product::<usize>() as f64).sqrt();
        Tensor::from_fn(shape, |at| scale * (1.0 + 0.01 * (at.iter().sum::<usize>() % 7) as f64))
    };
    let operands = shapes.iter().map(filled).collect::<Result<Vec<_>, _>>()?;
    let views: Vec<_> = operands.iter().map(Tensor::view).collect();
    let mut output = Tensor::from_fn(&plan.output_shape(), |_| 0.0)?;
    let einsum = Einsum::new(plan);
    let plan = einsum.plan();
    let conj = vec![false; views.len()];
    let mut whole = Vec::new();
    for _ in 0..=runs {
        let start = Instant::now();
        einsum.run(1.0, &views, &conj, 0.0, output.view_mut()?, Threads::ONE)?;
        whole.push(start.elapsed().as_secs_f64());
    }
    whole.sort_by(f64::total_cmp);
    let times = einsum.session()?.profile(&views, output.view_mut()?, runs)?;
    let total: f64 = times.iter().sum();
    let flops = plan.flops();
    println!(
        "{} steps, {:.3} ms the sum of their medians, {:.3} ms a run, {:.1} GFLOP/s",
        times.len(),
        total * 1e3,
        whole[whole.len() / 2] * 1e3,
        flops / total * 1e-9
    );
    println!("step   batch      m      n      k         µs  expected   share  GFLOP/s  kernel");
    let mut order: Vec<usize> = (0..times.len()).collect();
    order.sort_by(|&i, &j| times[j].total_cmp(&times[i]));
    for k in order.into_iter().take_while(|&k| times[k] > total / 100.0) {
        let (time, share) = (times[k], times[k] / total * 100.0);
        match plan.pair(k) {
            Some(pair) => {
                let [batch, m, n, summed] = pair.extents();
                let (rate, kernel) = (2e-9 * pair.volume() / time, pair.kernel_name());
                print!("{:4} {batch:7} {m:6} {n:6} {summed:6} ", k + 1);
                println!("{:10.1} {:9.1} {share:6.1}% {rate:8.1}  {kernel}", time * 1e6, pair.time() * 1e-3);
            }
            None => println!("{:4} {:39.1} {:9} {share:6.1}%           copy or sum", k + 1, time * 1e6, ""),
        }
    }
    Ok(())
}
