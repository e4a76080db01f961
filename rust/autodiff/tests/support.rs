//! The table of what is supported says what is: against the derivatives themselves, and in the documentation.

mod common;

use std::fmt::Write;

use common::{Array, Case};
use proptest::prelude::*;
use tensoroxide_autodiff::{Error, Operation};
use tensoroxide_dense::Element;
use tensoroxide_tensor::testing::{arrangement, config};
use tensoroxide_tensor::{Complex32, Complex64, DType};

/// A matrix that every operation takes: positive definite, with values far apart, and so are its triangles and
/// eigenvalues.
fn input<T: Element>(operation: Operation) -> (Vec<Array>, Vec<Option<Array>>) {
    let spread = Array::diagonal(&[1.0, 2.5, 4.5]);
    let a = Array::random::<T>(&[3, 3], 1).hermitian().plus(5.0, &spread);
    let x: Vec<_> = [a, Array::random::<T>(&[3, 2], 2)].into_iter().take(operation.inputs().len()).collect();
    // Of Hermitian matrices, tangents are Hermitian.
    let dx = x.iter().enumerate().map(|(i, x)| {
        let random = Array::random::<T>(&x.shape, 3 + i as u64);
        Some(if i == 0 { random.hermitian() } else { random })
    });
    let dx = dx.collect();
    (x, dx)
}

fn held_against_the_code<T: Element>() {
    for operation in Operation::ALL {
        let (mut case, support, (x, dx)) = (Case::new(operation), operation.support(T::DTYPE), input::<T>(operation));
        // Something is cut off: the norm of nothing has no derivative.
        case.settings.truncation.maxrank = Some(2);
        if support.jvp && support.vjp && support.second {
            case.check_along::<T>(&x, &dx, 1e-3, 1e-7);
            continue;
        }
        let y = case.evaluate::<T>(&x).unwrap();
        let (yb, dyb) = (case.cotangents::<T>(&y, 11), case.cotangents::<T>(&y, 12));
        let results = [
            (support.jvp, case.jvp::<T>(&x, &y, &dx)),
            (support.vjp, case.vjp::<T>(&x, &y, &yb)),
            (support.second, case.hvp::<T>(&x, &y, &yb, &dx, &dyb)),
        ];
        for (supported, result) in results {
            assert_eq!(supported, !matches!(result, Err(Error::Undefined(_))), "{operation:?}: {result:?}");
        }
    }
}

#[test]
fn of_real_matrices() {
    held_against_the_code::<f64>();
}

#[test]
fn of_complex_matrices() {
    held_against_the_code::<Complex64>();
}

/// In single precision the rules are the same; the matrices' values lie some 1 apart, so that errors are a few eps.
#[test]
fn in_single_precision() {
    for operation in Operation::ALL {
        let mut case = Case::new(operation);
        case.settings.truncation.maxrank = Some(2);
        let (x, dx) = input::<f32>(operation);
        case.check_single::<f32, f64>(&x, &dx, 1e-4);
        let (x, dx) = input::<Complex32>(operation);
        case.check_single::<Complex32, Complex64>(&x, &dx, 1e-4);
    }
}

proptest! {
    #![proptest_config(config(6))]

    #[test]
    fn layouts_do_not_matter(arrangement in arrangement()) {
        for operation in Operation::ALL {
            let mut case = Case::new(operation);
            case.settings.truncation.maxrank = Some(2);
            let (x, dx) = input::<f64>(operation);
            case.check_layouts::<f64>(&x, &dx, &arrangement);
            let (x, dx) = input::<Complex64>(operation);
            case.check_layouts::<Complex64>(&x, &dx, &arrangement);
        }
    }
}

/// The table of `docs/src/standard/derivatives.md`, from the code.
fn table() -> String {
    let mut table = String::from("| operation | `jvp` | `vjp` | second order |\n|---|---|---|---|\n");
    for operation in Operation::ALL {
        let all = DType::ALL.map(|dtype| operation.support(dtype));
        let cell = |of: [bool; 4]| match of {
            [true, true, true, true] => "all types",
            [true, true, false, false] => "real",
            [false, false, true, true] => "complex",
            [false, false, false, false] => "no",
            _ => panic!("{}: an answer that the table has no word for: {of:?}", operation.name()),
        };
        let (jvp, vjp, second) = (all.map(|s| s.jvp), all.map(|s| s.vjp), all.map(|s| s.second));
        writeln!(table, "| `{}` | {} | {} | {} |", operation.name(), cell(jvp), cell(vjp), cell(second)).unwrap();
    }
    table
}

#[test]
fn the_documentation_has_the_table() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/src/standard/derivatives.md");
    let text = std::fs::read_to_string(page).unwrap();
    assert!(text.contains(&table()), "{page} should have this table:\n\n{}", table());
}
