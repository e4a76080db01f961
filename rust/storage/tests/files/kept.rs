//! What is written is read: every type, shape, layout and part; names, attributes, texts, chunks.

use proptest::prelude::*;
use tensoroxide_storage::{Element, Error, File, Item, Kind, Mode, Options, Place, Source, Stored, Target};
use tensoroxide_tensor::testing::{arrangement, config, shape, Arrangement};
use tensoroxide_tensor::{Complex32, Complex64, Layout, View, ViewMut};

use super::*;

/// The elements of a layout in column-major order.
fn elements<T: Copy>(data: &[T], layout: &Layout) -> Vec<T> {
    let low = layout.reach().0;
    indices(layout.shape()).map(|index| data[offset(&index, layout.strides(), low)]).collect()
}

fn offset(index: &[usize], strides: &[isize], low: isize) -> usize {
    (index.iter().zip(strides).map(|(&i, &s)| i as isize * s).sum::<isize>() - low) as usize
}

/// All indices of a shape, the first axis fastest.
fn indices(shape: &[usize]) -> impl Iterator<Item = Vec<usize>> + '_ {
    let count = shape.iter().product::<usize>();
    (0..count).map(move |mut at| {
        let mut digit = |&extent: &usize| {
            let digit = at % extent;
            at /= extent;
            digit
        };
        shape.iter().map(&mut digit).collect()
    })
}

fn length(layout: &Layout) -> usize {
    let (low, high) = layout.reach();
    if layout.is_empty() {
        0
    } else {
        high.abs_diff(low) + 1
    }
}

/// Writes through one layout and reads through another, as dataset and as attribute, plain and compressed.
fn round_trip<T: Stored + Default + PartialEq + std::fmt::Debug>(
    folder: &Folder,
    shape: &[usize],
    (from, to): (&Arrangement, &Arrangement),
    value: impl Fn(usize) -> T,
) {
    let (from, to) = (from.layout(shape), to.layout(shape));
    let data: Vec<T> = (0..length(&from)).map(value).collect();
    let source = Source::new(&View::of(&data, &from).unwrap(), false);
    let path = folder.file("round.h5");
    let file = File::open(&path, Mode::Create).unwrap();
    let packed = Options { compress: 1, shuffle: true, checksum: true, chunk: None };
    file.write("plain".into(), &source, &Options::default()).unwrap();
    file.write("in/a group".into(), &source, &packed).unwrap();
    file.write(Place::from("plain").attribute("copy"), &source, &Options::default()).unwrap();
    file.commit(false).unwrap();

    let file = File::open(&path, Mode::Read).unwrap();
    let chunked = !shape.is_empty() && !shape.contains(&0);
    for (place, chunked) in
        [("plain".into(), false), ("in/a group".into(), chunked), (Place::from("plain").attribute("copy"), false)]
    {
        let item = file.item(place).unwrap().unwrap();
        assert_eq!((&item.kind, item.shape.as_slice()), (&Kind::Tensor(T::ELEMENT), shape));
        assert_eq!(item.chunk.is_some(), chunked);
        let mut back = vec![T::default(); length(&to)];
        file.read(place, &mut Target::new(ViewMut::of(&mut back, &to).unwrap()), None).unwrap();
        assert_eq!(elements(&back, &to), elements(&data, &from), "{place}");
    }
}

proptest! {
    #![proptest_config(config(24))]
    #[test]
    fn tensors_of_every_type_and_layout(shape in shape(4, 4), from in arrangement(), to in arrangement()) {
        if ready() {
            let folder = Folder::new("types");
            let pair = (&from, &to);
            round_trip(&folder, &shape, pair, |i| i as f32 - 0.5);
            round_trip(&folder, &shape, pair, |i| i as f64 / 3.0);
            round_trip(&folder, &shape, pair, |i| Complex32::new(i as f32, -1.0));
            round_trip(&folder, &shape, pair, |i| Complex64::new(-0.0, i as f64));
            round_trip(&folder, &shape, pair, |i| (i % 256) as u8 as i8);
            round_trip(&folder, &shape, pair, |i| i32::MIN + i as i32);
            round_trip(&folder, &shape, pair, |i| i64::MIN + i as i64);
            round_trip(&folder, &shape, pair, |i| (i % 256) as u8);
            round_trip(&folder, &shape, pair, |i| u32::MAX - i as u32);
            round_trip(&folder, &shape, pair, |i| u64::MAX - i as u64);
            round_trip(&folder, &shape, pair, |i| i % 3 == 0);
        }
    }

    #[test]
    fn parts_are_written_and_read(
        axes in proptest::collection::vec((1usize..6, 1usize..4, 0usize..3, 0usize..3), 0..4),
        layout in arrangement(),
        compressed in any::<bool>(),
    ) {
        if ready() {
            let folder = Folder::new("parts");
            let count: Vec<usize> = axes.iter().map(|axis| axis.0).collect();
            let step: Vec<usize> = axes.iter().map(|axis| axis.1).collect();
            let first: Vec<usize> = axes.iter().map(|axis| axis.2).collect();
            let whole: Vec<usize> = axes.iter().map(|(n, step, at, rest)| at + (n - 1) * step + 1 + rest).collect();
            let layout = layout.layout(&count);
            let data: Vec<f64> = (0..length(&layout)).map(|i| 1.0 + i as f64).collect();
            let options = Options { compress: u8::from(compressed), ..Options::default() };
            let file = File::open(&folder.file("parts.h5"), Mode::Create).unwrap();
            file.create("t", Element::F64, &whole, &options).unwrap();
            let part = Source::new(&View::of(&data, &layout).unwrap(), false);
            file.write_part("t", &part, &first, &step).unwrap();

            // The reference: each element of the part, put by hand where it belongs.
            let home = Layout::column_major(&whole).unwrap();
            let mut expected = vec![0.0; home.len()];
            for index in indices(&count) {
                let at: Vec<usize> = (0..count.len()).map(|d| first[d] + index[d] * step[d]).collect();
                expected[offset(&at, home.strides(), 0)] = data[offset(&index, layout.strides(), layout.reach().0)];
            }
            prop_assert_eq!(get(&file, "t", &whole, 0.0).unwrap(), expected);
            let mut back = vec![0.0; data.len()];
            let mut target = Target::new(ViewMut::of(&mut back, &layout).unwrap());
            file.read("t".into(), &mut target, Some((&first, &step))).unwrap();
            prop_assert_eq!(elements(&back, &layout), elements(&data, &layout));
        }
    }
}

#[test]
fn large_tensors_go_piece_by_piece() {
    if !ready() {
        return;
    }
    let folder = Folder::new("pieces");
    // Three pieces and a bit, transposed.
    let (rows, columns) = (1300, 1300);
    let data: Vec<f64> = (0..rows * columns).map(|i| i as f64).collect();
    let (shape, strides) = ([rows, columns], [columns as isize, 1]);
    let file = File::open(&folder.file("large.h5"), Mode::Create).unwrap();
    let source = Source::new(&View::new(&data, &shape, &strides, 0).unwrap(), false);
    file.write("plain".into(), &source, &Options::default()).unwrap();
    file.write("chunked".into(), &source, &Options { compress: 1, shuffle: true, ..Options::default() }).unwrap();
    for name in ["plain", "chunked"] {
        let stored = get(&file, name, &shape, 0.0).unwrap();
        assert!((0..rows * columns).all(|i| stored[i] == data[i % rows * columns + i / rows]), "{name}");
        let mut back = vec![0.0; data.len()];
        let mut target = Target::new(ViewMut::new(&mut back, &shape, &strides, 0).unwrap());
        file.read(name.into(), &mut target, None).unwrap();
        assert!(back == data, "{name}");
    }
}

#[test]
fn conjugates_and_other_precisions() {
    if !ready() {
        return;
    }
    let folder = Folder::new("precision");
    let file = File::open(&folder.file("p.h5"), Mode::Create).unwrap();
    let data = [Complex64::new(1.0, 2.0), Complex64::new(0.1, -0.3)];
    let layout = Layout::column_major(&[2]).unwrap();
    file.write("z".into(), &Source::new(&View::of(&data, &layout).unwrap(), true), &Options::default()).unwrap();
    let single = get(&file, "z", &[2], Complex32::default()).unwrap();
    assert_eq!(single, [Complex32::new(1.0, -2.0), Complex32::new(0.1, 0.3)]);
    put(&file, "x", &[2], &[1.5f32, 0.1]).unwrap();
    assert_eq!(get(&file, "x", &[2], 0.0f64).unwrap(), [1.5, f64::from(0.1f32)]);
    for refused in [get(&file, "x", &[2], 0i32).map(drop), get(&file, "x", &[2], Complex32::default()).map(drop)] {
        assert!(matches!(refused, Err(Error::Kind { .. })), "{refused:?}");
    }
    assert!(get(&file, "z", &[2], 0.0f64).unwrap_err().to_string().contains("ComplexF64"));
}

#[test]
fn names_texts_and_attributes() {
    if !ready() {
        return;
    }
    let folder = Folder::new("names");
    let path = folder.file("n.h5");
    let file = File::open(&path, Mode::Create).unwrap();
    put(&file, "ψ/site 2", &[1], &[2.0]).unwrap();
    put(&file, "/ψ/site 1/", &[1], &[1.0]).unwrap();
    file.make_group("empty/inner").unwrap();
    file.make_group("empty").unwrap();
    for (name, text) in [("a", "Grüße, 世界"), ("b", ""), ("c", "line\nline\t")] {
        for fixed in [false, true] {
            file.write_text(Place::from(format!("texts/{name}{fixed}").as_str()), text, fixed).unwrap();
            file.write_text(Place::from("ψ").attribute(name), text, fixed).unwrap();
            assert_eq!(file.read_text(Place::from("ψ").attribute(name)).unwrap(), text);
            assert_eq!(file.read_text(format!("texts/{name}{fixed}").as_str().into()).unwrap(), text);
        }
    }
    file.write_text(Place::from("/").attribute("made by"), "a test", false).unwrap();
    // Beyond what the old form has room for.
    let large = vec![7i64; 20_000];
    let layout = Layout::column_major(&[large.len()]).unwrap();
    file.write(
        Place::from("ψ/site 1").attribute("large"),
        &Source::new(&View::of(&large, &layout).unwrap(), false),
        &Options::default(),
    )
    .unwrap();
    file.commit(true).unwrap();

    let file = File::open(&path, Mode::Read).unwrap();
    assert_eq!(file.names("/").unwrap(), ["empty", "texts", "ψ"]);
    assert_eq!(file.names("ψ").unwrap(), ["site 1", "site 2"]);
    assert_eq!(file.names("empty/inner").unwrap(), [""; 0]);
    assert_eq!(file.attributes("ψ").unwrap(), ["a", "b", "c"]);
    assert_eq!(file.attributes("").unwrap(), ["made by"]);
    assert_eq!(file.item("texts/atrue".into()).unwrap().unwrap().kind, Kind::Text);
    let group = Item { kind: Kind::Group, shape: vec![], chunk: None };
    assert_eq!(file.item("empty".into()), Ok(Some(group)));
    assert_eq!(file.item("nothing/below".into()), Ok(None));
    assert_eq!(file.item("ψ/site 1/below a tensor".into()), Ok(None));
    assert_eq!(file.item(Place::from("ψ").attribute("z")), Ok(None));
    drop(file);

    let file = File::open(&path, Mode::Update).unwrap();
    file.remove("texts".into()).unwrap();
    file.remove(Place::from("ψ").attribute("b")).unwrap();
    file.write(
        Place::from("ψ").attribute("a"),
        &Source::new(&View::of(&large, &layout).unwrap(), false),
        &Options::default(),
    )
    .unwrap();
    assert!(matches!(file.remove("texts".into()), Err(Error::Missing { .. })));
    assert!(matches!(file.remove(Place::from("ψ").attribute("b")), Err(Error::Missing { .. })));
    file.commit(true).unwrap();
    let file = File::open(&path, Mode::Read).unwrap();
    assert_eq!(
        (file.names("").unwrap(), file.attributes("ψ").unwrap()),
        (vec!["empty".to_owned(), "ψ".to_owned()], vec!["a".to_owned(), "c".to_owned()])
    );
    assert_eq!(get(&file, "ψ/site 2", &[1], 0.0).unwrap(), [2.0]);
}

#[test]
fn chunks_are_as_asked() {
    if !ready() {
        return;
    }
    let folder = Folder::new("chunks");
    let file = File::open(&folder.file("c.h5"), Mode::Create).unwrap();
    let zeros = vec![0.0f64; 300 * 200];
    let layout = Layout::column_major(&[300, 200]).unwrap();
    let source = Source::new(&View::of(&zeros, &layout).unwrap(), false);
    let options = Options { compress: 9, shuffle: true, checksum: false, chunk: Some(vec![100, 500]) };
    file.write("z".into(), &source, &options).unwrap();
    assert_eq!(file.item("z".into()).unwrap().unwrap().chunk, Some(vec![100, 200]));
    file.commit(true).unwrap();
    assert!(std::fs::metadata(folder.file("c.h5")).unwrap().len() < 20_000, "480 kB of zeros are compressed");
}

#[test]
fn the_same_tensors_make_the_same_file() {
    if !ready() {
        return;
    }
    let folder = Folder::new("bits");
    let write = |name: &str| {
        let file = File::open(&folder.file(name), Mode::Create).unwrap();
        put(&file, "a/b/x", &[2], &[1.0, 2.0]).unwrap();
        file.make_group("c").unwrap();
        file.write_text("t".into(), "text", false).unwrap();
        file.commit(true).unwrap();
        std::fs::read(folder.file(name)).unwrap()
    };
    let first = write("1.h5");
    // HDF5's times count seconds.
    std::thread::sleep(std::time::Duration::from_millis(1100));
    assert!(first == write("2.h5"));
}
