//! Any text: read or refused, never a panic. What is read is printed and reads the same; an error's place is in the text.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tensoroxide_einsum::network::Network;
use tensoroxide_einsum::notation::{Expression, Subscript};
use tensoroxide_einsum::Error;

fuzz_target!(|text: &str| {
    match Expression::parse(text) {
        Ok(read) => {
            let again = Expression::parse(&read.to_string()).expect("what is printed can be read");
            assert_eq!((&again.operands, &again.output, &again.group), (&read.operands, &read.output, &read.group));
            // Shapes that fit, and shapes that do not.
            for ellipsis in 0..3 {
                let axes = |s: &Subscript| if *s == Subscript::Ellipsis { ellipsis } else { 1 };
                let extent = |i: usize| [2, 1, 2, 3][(i + ellipsis) % 4];
                let shapes: Vec<Vec<usize>> = read
                    .operands
                    .iter()
                    .map(|labels| (0..labels.iter().map(axes).sum()).map(extent).collect())
                    .collect();
                let shapes: Vec<&[usize]> = shapes.iter().map(Vec::as_slice).collect();
                if let Err(error) = Network::new(&read, &shapes) {
                    assert!(!error.to_string().is_empty());
                }
            }
        }
        Err(Error::Notation { position, ref expression, .. }) => {
            assert!(position <= text.chars().count() && expression == text);
        }
        Err(other) => panic!("{other}"),
    }
});
