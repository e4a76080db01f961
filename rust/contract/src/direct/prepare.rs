//! Which form a product takes: every axis is tried along the registers, and the cheapest is kept.

use tensoroxide_tensor::nest::Loop;
use tensoroxide_tensor::simd::{Isa, Simd, Task, Vector};
use tensoroxide_tensor::DType;

use super::interleaved::{Interleaved, DEEP, WIDE};
use super::lanes::{Lanes, CHUNK};
use super::panel::{Panel, Summed, PACKED};
use super::terms::{Terms, FEW};
use super::walk::MOST_LOOPS;
use super::write::Apart;
use super::{Axis, Direct, Form};
use crate::traffic::{blocks, sweep};

/// The tensors, as positions in strides.
const C: usize = 0;
const A: usize = 1;
const B: usize = 2;

/// Most entries of a table.
const TABLE: usize = 1024;
/// Entries of a table of rows that is made of loops that are near in C or in A: enough for whole lines of the cache in
/// both.
const NEAR: usize = 256;

/// A nanosecond has about so many cycles.
const CYCLES: f64 = 4.0;

/// The loops of a step by what they move.
#[derive(Clone, Default)]
struct Loops {
    /// C, A and B.
    batch: Vec<Loop<3>>,
    /// C and A, or C alone.
    rows: Vec<Loop<3>>,
    /// C and B.
    columns: Vec<Loop<3>>,
    /// Not C.
    summed: Vec<Loop<3>>,
}

/// What lies along the registers.
#[derive(Clone, Copy, Debug)]
enum Along {
    /// The rows' loop at this position, dense in C and A.
    Row(usize),
    /// Rows that lie apart, sorted by their steps in this tensor.
    Rows(usize),
    /// The batch's loop at this position, dense in all tensors.
    Batch(usize),
    /// The same, of which blocks are copied; dense in one tensor at least.
    Interleaved(usize),
    /// The sum's loop at this position, dense in A and B.
    Summed(usize),
}

/// What the registers of an instruction set hold.
struct Lengths(bool);

impl Task for Lengths {
    type Output = usize;
    #[inline(always)]
    fn run<S: Simd>(self) -> usize {
        if self.0 {
            S::F64::LANES
        } else {
            S::F32::LANES
        }
    }
}

fn volume(loops: &[Loop<3>]) -> usize {
    loops.iter().fold(1, |volume, l| volume.saturating_mul(l.extent))
}

/// Sorts loops by their steps and fuses neighbours that move every tensor as one loop would.
fn fuse(loops: &mut Vec<Loop<3>>, by: usize) {
    sort(loops, by);
    let mut fused = 0;
    for i in 1..loops.len() {
        let (inner, l) = (loops[fused], loops[i]);
        let goes_on = (0..3).all(|t| l.strides[t] == inner.strides[t].wrapping_mul(inner.extent as isize));
        match inner.extent.checked_mul(l.extent) {
            Some(extent) if goes_on => loops[fused].extent = extent,
            _ => {
                fused += 1;
                loops[fused] = l;
            }
        }
    }
    loops.truncate(fused + 1);
}

fn sort(loops: &mut [Loop<3>], by: usize) {
    loops.sort_by_key(|l| (l.strides[by].unsigned_abs(), l.strides[C].unsigned_abs(), l.strides[A].unsigned_abs()));
}

impl Loops {
    /// The same with the parts of A and B exchanged.
    fn swapped(&self) -> Loops {
        let turn = |loops: &[Loop<3>]| {
            let turned = |l: &Loop<3>| Loop { extent: l.extent, strides: [l.strides[C], l.strides[B], l.strides[A]] };
            loops.iter().map(turned).collect()
        };
        Loops {
            batch: turn(&self.batch),
            rows: turn(&self.columns),
            columns: turn(&self.rows),
            summed: turn(&self.summed),
        }
    }

    /// Everything as tables.
    fn terms(&self) -> Form {
        let outputs = table([&self.batch, &self.rows, &self.columns].into_iter().flatten(), [C, A, B], 1);
        Form::Terms(Terms { outputs, summed: table(&self.summed, [A, B], 1) })
    }

    fn candidates(&self) -> impl Iterator<Item = Along> + '_ {
        let dense = |loops: &[Loop<3>], tensors: &[usize]| {
            loops.iter().position(|l| tensors.iter().all(|&t| l.strides[t] == 1))
        };
        [
            dense(&self.rows, &[C, A]).map(Along::Row),
            Some(Along::Rows(C)),
            Some(Along::Rows(A)).filter(|_| self.rows.len() > 1),
            dense(&self.batch, &[C, A, B]).map(Along::Batch),
            dense(&self.summed, &[A, B]).map(Along::Summed),
        ]
        .into_iter()
        .flatten()
        .chain((0..self.batch.len()).filter(|&i| self.batch[i].strides.contains(&1)).map(Along::Interleaved))
    }

    /// Takes the loops that make an axis apart off the rows: those near in C and those near in A, up to a number of
    /// places.
    fn take_rows(&mut self, by: usize) -> Vec<Loop<3>> {
        let mut taken: Vec<Loop<3>> = Vec::with_capacity(self.rows.len());
        let mut places = 1usize;
        let mut turn = by;
        while !self.rows.is_empty() {
            let near = |l: &Loop<3>| l.strides[turn].unsigned_abs();
            let nearest = (0..self.rows.len()).min_by_key(|&i| near(&self.rows[i])).expect("there is a loop");
            let more = places.saturating_mul(self.rows[nearest].extent);
            if !taken.is_empty() && (places >= NEAR || more > TABLE) {
                break;
            }
            places = more;
            taken.push(self.rows.swap_remove(nearest));
            turn = C + A - turn;
        }
        sort(&mut taken, by);
        taken
    }
}

/// Takes loops off the front of a list, up to the size of a table but at least one, as an axis of two tensors.
fn take_axis(loops: &mut Vec<Loop<3>>, tensors: [usize; 2], width: isize) -> Axis {
    let (mut taken, mut places) = (0, 1usize);
    while taken < loops.len() && (taken == 0 || places.saturating_mul(loops[taken].extent) <= TABLE) {
        places = places.saturating_mul(loops[taken].extent);
        taken += 1;
    }
    let axis = axis(&loops[..taken], tensors, width);
    loops.drain(..taken);
    axis
}

fn axis(loops: &[Loop<3>], tensors: [usize; 2], width: isize) -> Axis {
    match loops {
        [] => Axis { count: 1, strides: [0; 2], table: Box::default() },
        [l] => Axis { count: l.extent, strides: tensors.map(|t| l.strides[t] * width), table: Box::default() },
        _ => Axis { count: volume(loops), strides: [0; 2], table: table(loops, tensors, width) },
    }
}

/// The places in some tensors that loops lead to, the first loop fastest.
fn table<'a, const N: usize>(
    loops: impl IntoIterator<Item = &'a Loop<3>>,
    tensors: [usize; N],
    width: isize,
) -> Box<[[isize; N]]> {
    let mut places = vec![[0; N]];
    for l in loops {
        let step = tensors.map(|t| l.strides[t] * width);
        let inner = places.len();
        places.reserve_exact(inner * l.extent.saturating_sub(1));
        for i in inner..inner * l.extent {
            let mut place = places[i - inner];
            (0..N).for_each(|t| place[t] += step[t]);
            places.push(place);
        }
        places.truncate(inner * l.extent);
    }
    places.into_boxed_slice()
}

/// An axis of rows, as it lies in one of the two tensors of the table; `None` if dense.
fn apart(axis: &Axis, which: usize, width: usize, lanes: usize) -> Option<Apart> {
    if axis.count == 1 {
        return None;
    }
    if axis.table.is_empty() {
        let stride = axis.strides[which];
        return (stride != width as isize).then(|| Apart { run: width, stride, table: Box::default() });
    }
    let place = |i: usize| axis.table[i][which];
    let goes_on = |i: usize| place(i) == place(i - 1) + width as isize;
    let mut run = 1; // in elements
    while axis.count % (2 * run) == 0 && (1..axis.count).all(|i| i % (2 * run) == 0 || goes_on(i)) && run < axis.count {
        run *= 2;
    }
    if (1..axis.count).all(goes_on) {
        return None;
    }
    while run * width > lanes {
        run /= 2;
    }
    let table = (0..axis.count).step_by(run).map(place).collect();
    Some(Apart { run: run * width, stride: 0, table })
}

/// What is summed over; the loops that do not go into a table are left. The loop at `inner` is innermost.
fn take_summed(loops: &mut Vec<Loop<3>>, most: usize, width: isize) -> Summed {
    let longest = (0..loops.len()).max_by_key(|&i| loops[i].extent);
    let Some(inner) = longest.map(|i| loops.remove(i)) else {
        return Summed { count: 1, strides: [0; 2], table: Box::new([[0; 2]]) };
    };
    let strides = [A, B].map(|t| inner.strides[t] * width);
    let mut taken = 0;
    if inner.extent <= most {
        while taken < loops.len() && volume(&loops[..=taken]) <= TABLE {
            taken += 1;
        }
    }
    let table = table(&loops[..taken], [A, B], width);
    loops.drain(..taken);
    Summed { count: inner.extent, strides, table }
}

impl Direct {
    /// As [`Direct::new`], for one instruction set.
    pub(super) fn for_isa(all: impl Iterator<Item = (Loop<3>, bool)>, dtype: DType, isa: Isa) -> Direct {
        let cheapest = |costs: &[f64]| (0..costs.len()).min_by(|&i, &j| costs[i].total_cmp(&costs[j])).unwrap_or(0);
        Direct::chosen(all, dtype, isa, cheapest)
    }

    /// The form that `choose` points at when it is shown what each would cost.
    pub(super) fn chosen(
        all: impl Iterator<Item = (Loop<3>, bool)>,
        dtype: DType,
        isa: Isa,
        choose: impl FnOnce(&[f64]) -> usize,
    ) -> Direct {
        let mut direct = Direct {
            isa,
            dtype,
            swapped: false,
            outer: Box::default(),
            adding: 0,
            steps: [1; 2],
            form: Form::Nothing,
            cost: 5.0,
        };
        let mut loops = Loops::default();
        for (l, in_c) in all {
            match (l.extent, in_c, l.strides) {
                (0, true, _) => return direct,
                (1, _, _) => {}
                (_, false, _) => loops.summed.push(l),
                (_, _, [_, _, 0]) => loops.rows.push(l),
                (_, _, [_, 0, _]) => loops.columns.push(l),
                _ => loops.batch.push(l),
            }
        }
        if loops.summed.iter().any(|l| l.extent == 0) {
            loops.summed = vec![Loop { extent: 0, strides: [0; 3] }];
        }
        [&mut loops.batch, &mut loops.rows, &mut loops.columns].into_iter().for_each(|group| fuse(group, C));
        fuse(&mut loops.summed, A);
        let all = [&loops.batch, &loops.rows, &loops.columns, &loops.summed];
        if all.into_iter().flatten().fold(1, |volume: usize, l| volume.saturating_mul(l.extent)) <= FEW {
            direct.form = loops.terms();
            return direct;
        }
        let turned = loops.swapped();
        let real = if matches!(dtype, DType::F64 | DType::C64) { 8 } else { 4 };
        let machine = Machine { lanes: isa.run(Lengths(real == 8)), width: 1 + usize::from(dtype.is_complex()), real };
        let ways = [(false, &loops), (true, &turned)];
        let ways = ways.into_iter().flat_map(|(swapped, l)| l.candidates().map(move |along| (swapped, l, along)));
        let ways: Vec<_> = ways.map(|(swapped, l, along)| (swapped, along, machine.cost(l, along))).collect();
        let costs: Vec<f64> = ways.iter().map(|way| way.2).collect();
        let (swapped, along, cost) = ways[choose(&costs)];
        (direct.cost, direct.swapped) = (cost, swapped);
        let loops = if direct.swapped { turned } else { loops };
        direct.build(loops, along, &machine);
        direct
    }

    fn build(&mut self, mut loops: Loops, along: Along, machine: &Machine) {
        let Machine { lanes, width, .. } = *machine;
        let step = width as isize;
        let terms = PACKED / (4 * lanes);
        self.form = match along {
            Along::Row(_) | Along::Rows(_) => {
                let rows = match along {
                    Along::Row(i) => vec![loops.rows.remove(i)],
                    _ => loops.take_rows(if let Along::Rows(by) = along { by } else { C }),
                };
                let rows = axis(&rows, [C, A], step);
                let places = [0, 1].map(|which| apart(&rows, which, width, lanes));
                let columns = take_axis(&mut loops.columns, [C, B], step);
                let summed = take_summed(&mut loops.summed, terms, step);
                let rows = rows.count * width;
                let depth = summed.count.saturating_mul(summed.table.len());
                let long = columns.count * width <= 8 && rows.saturating_mul(depth) > 4 * PACKED;
                // A large A is read once, in long pieces, which memory is faster at.
                let large = columns.count * width <= 48 && rows.saturating_mul(depth) > 16 * PACKED;
                let block = if places[1].is_none() && long && summed.table.len() == 1 {
                    [PACKED / 2, 8]
                } else if places[1].is_none() && large && summed.table.len() == 1 {
                    [PACKED / 16, 16]
                } else {
                    let terms = depth.clamp(1, terms);
                    [PACKED / terms / (4 * lanes) * (4 * lanes), terms]
                };
                Form::Panel(Panel { rows, places, columns, summed, block })
            }
            Along::Batch(i) => {
                let along = loops.batch.remove(i).extent * width;
                let (rows, columns, summed) = machine.others(&mut loops);
                Form::Elementwise(Lanes { along, rows, columns, summed })
            }
            Along::Interleaved(i) => {
                let l = loops.batch.remove(i);
                let places = l.strides.map(|stride| {
                    (stride != 1).then(|| Apart { run: width, stride: stride * step, table: Box::default() })
                });
                let rows = take_axis(&mut loops.rows, [C, A], step);
                let columns = take_axis(&mut loops.columns, [C, B], step);
                let summed = take_summed(&mut loops.summed, DEEP, step);
                Form::Interleaved(Interleaved { along: l.extent * width, places, rows, columns, summed })
            }
            Along::Summed(i) => {
                let along = loops.summed.remove(i).extent * width;
                let (rows, columns, summed) = machine.others(&mut loops);
                Form::Sums(Lanes { along, rows, columns, summed })
            }
        };
        let mut moving = [loops.batch, loops.rows, loops.columns].concat();
        fuse(&mut moving, C);
        let mut outer = loops.summed;
        self.adding = outer.len();
        self.steps = [volume(&moving), volume(&outer)];
        outer.extend(moving);
        for l in &mut outer {
            l.strides = l.strides.map(|stride| stride * step);
        }
        debug_assert!(outer.len() <= MOST_LOOPS);
        self.outer = outer.into_boxed_slice();
    }
}

/// What costs are reckoned from.
struct Machine {
    /// Numbers of a register.
    lanes: usize,
    /// Numbers of an element.
    width: usize,
    /// Bytes of a number.
    real: usize,
}

impl Machine {
    /// The axes besides that of the registers, where both A and B lie along them.
    fn others(&self, loops: &mut Loops) -> (Axis, Axis, Summed) {
        let step = self.width as isize;
        let rows = take_axis(&mut loops.rows, [C, A], step);
        let columns = take_axis(&mut loops.columns, [C, B], step);
        (rows, columns, take_summed(&mut loops.summed, usize::MAX, step))
    }

    /// Cycles for each product of a batch that is the innermost axis of tensors, if the products are computed one by
    /// one: then every element comes with a line of the cache that no other element of the product shares.
    fn alone(&self, loops: &Loops, elements: [f64; 3], batch: f64) -> f64 {
        const LINE: usize = 64;
        let near = |l: &Loop<3>, t: usize| {
            let bytes = l.strides[t].unsigned_abs().saturating_mul(self.width * self.real);
            0 < bytes && bytes < LINE
        };
        let alone = |t: usize| {
            let others = [&loops.rows, &loops.columns, &loops.summed];
            loops.batch.iter().any(|l| near(l, t)) && !others.into_iter().flatten().any(|l| near(l, t))
        };
        let lines: f64 = (0..3).filter(|&t| alone(t)).map(|t| elements[t]).sum();
        // What one product leaves in the cache serves the next one, if it is still there.
        let price = match batch * elements.iter().sum::<f64>() * (self.width * self.real) as f64 {
            ..1e6 if lines * (LINE as f64) < 64e3 => 0.0,
            _ if lines * (LINE as f64) < 64e3 => 2.4,
            ..1e6 => 3.0,
            ..2.5e6 => 5.0,
            ..1e7 => 15.0,
            ..4e7 => 25.0,
            _ => 50.0,
        };
        lines * price
    }

    /// Nanoseconds of a product whose registers lie so, roughly.
    fn cost(&self, loops: &Loops, along: Along) -> f64 {
        let count = |loops: &[Loop<3>]| loops.iter().map(|l| l.extent as f64).product::<f64>();
        let [batch, rows, columns, summed] =
            [&loops.batch, &loops.rows, &loops.columns, &loops.summed].map(|l| count(l));
        let width = self.width as f64;
        let registers = |extent: f64| (extent * width / self.lanes as f64).ceil();
        // Multiplications of a register, fetched and done at 1.7 a cycle; what a tile needs besides.
        let cycles = match along {
            Along::Row(_) | Along::Rows(_) => {
                let (length, [of_c, of_a]) = match along {
                    Along::Row(i) => (loops.rows[i].extent as f64, [None; 2]),
                    Along::Rows(by) => {
                        let taken = loops.clone().take_rows(by);
                        let runs = [C, A].map(|t| match taken[..] {
                            [] => None,
                            [l] if l.strides[t] == 1 => None,
                            [l, ..] if l.strides[t] == 1 => Some(run(l.extent)),
                            _ => Some(1.0),
                        });
                        (count(&taken), runs)
                    }
                    _ => unreachable!("the other forms are below"),
                };
                let outer = batch * rows / length;
                let (high, wide) = (registers(length), columns * width);
                let products = high * wide * summed;
                let tiles = (high / 3.0).ceil() * (wide / 8.0).ceil();
                let waiting = if high * wide < 8.0 { 4.0 * summed } else { 0.0 };
                let writing = match of_c {
                    None => high * columns * 1.5,
                    Some(run) => length * columns * 1.5 / run + high * wide,
                };
                let reading = of_a.map_or(0.0, |run| length * summed * 1.3 / run + 10.0 * summed);
                // A large B whose columns lie together is read by pieces of lines from ever other pages.
                let across = loops.summed.first().is_some_and(|l| l.strides[B].unsigned_abs() > 64);
                let large = wide * summed * self.real as f64 > 256e3;
                let reading = reading + if across && large { (wide / 8.0).ceil() * summed * 20.0 } else { 0.0 };
                let each = (products * 0.6).max(waiting) + writing + reading + 8.0 * tiles + 40.0;
                outer * each + batch * self.alone(loops, [rows * columns, rows * summed, columns * summed], batch)
            }
            Along::Batch(i) => {
                let length = loops.batch[i].extent as f64;
                let (tall, wide) = (rows.min(4.0), columns.min(2.0));
                // What the first cache cannot keep comes from the next ones, time and again.
                let kept = (rows + columns) * summed * (length * width).min(CHUNK as f64) * self.real as f64;
                let load = match kept {
                    ..32e3 => 0.5,
                    ..1e6 => 1.5,
                    ..1e7 => 4.0,
                    _ => 10.0,
                };
                let loads = rows * columns * summed * (1.0 / tall + 1.0 / wide) * load;
                let each = rows * columns * (summed * 0.6 * width + 1.5) + loads;
                let tiles = (rows / tall).ceil() * (columns / wide).ceil();
                batch / length * (registers(length) * (each + 4.0 * tiles) + 30.0)
            }
            Along::Interleaved(i) => {
                let l = &loops.batch[i];
                // Each register of a matrix lies in a line of the cache, and often in a page, of its own.
                let bytes = batch * (rows * columns + (rows + columns) * summed) * width * self.real as f64;
                let line = match bytes {
                    ..1e6 => 5.0,
                    ..3e6 => 9.0,
                    ..1e7 => 14.0,
                    ..4e7 => 28.0,
                    _ => 60.0,
                };
                // What does not lie together is gathered from up to as many lines as a register has numbers.
                let gathered = |stride: isize| {
                    let apart = (stride.unsigned_abs().saturating_mul(self.width * self.real) as f64 / 64.0).min(1.0);
                    line + 12.0 + self.lanes as f64 * apart * (line - 4.0) * 2.8
                };
                let [of_c, of_a, of_b] = l.strides.map(|stride| if stride == 1 { line } else { gathered(stride) });
                let wide = columns * width;
                let parts = (summed / DEEP as f64).ceil();
                let products = rows.max(2.0) * wide.max(2.0) * summed * 0.52;
                let copies = rows * summed * (wide / WIDE as f64).ceil() * of_a + columns * summed * (of_b + width);
                let tiles = (rows / 4.0).ceil() * (wide / 6.0).ceil() * parts;
                let each = products + copies + rows * columns * parts * of_c + 8.0 * tiles;
                let length = l.extent as f64;
                batch / length * (registers(length) * each + 60.0)
            }
            Along::Summed(i) => {
                let length = loops.summed[i].extent as f64;
                let (tall, wide) = (rows.min(4.0), columns.min(4.0));
                let products = rows * columns * registers(length) * summed / length.max(1.0);
                let loads = products * (1.0 / tall + 1.0 / wide) * 0.5;
                // Each stretch of the sum begins and ends with registers that are not full.
                let stretches = rows * columns * (summed / length.max(1.0));
                batch * ((products * 0.6 * width).max(loads) + 6.0 * stretches + 9.0 * rows * columns + 30.0)
            }
        };
        let elements = batch * (1.5 * rows * columns + rows * summed + columns * summed);
        let bytes = elements * width * self.real as f64;
        if bytes < 2.5e5 {
            // 64 bytes a cycle from the second cache, while others are multiplied.
            return 30.0 + (cycles.max(bytes / 64.0) + 0.1 * cycles) / CYCLES;
        }
        // What is brought in is brought in partly while others are multiplied.
        let (arithmetic, memory) = (1.25 * cycles / CYCLES, self.memory(loops, along));
        30.0 + arithmetic.max(memory) + 0.5 * arithmetic.min(memory)
    }

    /// Nanoseconds to bring in what does not stay in the caches.
    fn memory(&self, loops: &Loops, along: Along) -> f64 {
        let Loops { batch, rows, columns, summed } = loops;
        let size = self.width * self.real;
        let count = |loops: &[Loop<3>]| loops.iter().map(|l| l.extent as f64).product::<f64>();
        let bytes = |x: &[Loop<3>], y: &[Loop<3>]| count(batch) * count(x) * count(y) * size as f64;
        let (of_c, of_a, of_b) = (bytes(rows, columns), bytes(rows, summed), bytes(columns, summed));
        let by = match along {
            Along::Row(_) => C,
            Along::Rows(by) => by,
            _ => {
                let all = [&batch[..], rows, columns, summed].concat();
                let tensors = [(C, of_c), (A, of_a), (B, of_b)];
                return tensors.map(|(t, bytes)| sweep(all.iter().copied(), t, size, bytes)).iter().sum();
            }
        };
        let mut rows = rows.clone();
        if let Along::Row(i) = along {
            rows[..=i].rotate_right(1);
        } else {
            sort(&mut rows, by);
        }
        // A panel of rows and sums is packed, and meets a few columns at a time.
        let depths = (count(summed) / (PACKED / (4 * self.lanes)) as f64).ceil();
        let heights = (count(&rows) * count(summed).min(64.0) * self.width as f64 / PACKED as f64).ceil();
        let with_batch = |loops: &[Loop<3>]| [loops, batch].concat();
        let again = if of_b > 1e6 { heights } else { 1.0 };
        (2.0 * depths - 1.0) * blocks((&with_batch(&rows), 256), (columns, 8), C, size, of_c)
            + (count(columns) / TABLE as f64).ceil() * blocks((&rows, 64), (&with_batch(summed), 64), A, size, of_a)
            + again * blocks((columns, 8), (&with_batch(summed), 256), B, size, of_b)
    }
}

/// The largest power of two that divides an extent, up to a register.
fn run(extent: usize) -> f64 {
    f64::from(1 << extent.trailing_zeros().min(3))
}
