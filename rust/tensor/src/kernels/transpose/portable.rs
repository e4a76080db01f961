//! Rectangles without special registers: blocks of 4 × 4 units, which compilers keep in registers, and single units.

use super::{Tile, Transpose};

/// The kernel for units of so many bytes.
pub(super) fn blocks(unit: usize) -> Option<Transpose> {
    match unit {
        4 => Some(transpose::<u32>),
        8 => Some(transpose::<u64>),
        16 => Some(transpose::<[u64; 2]>),
        _ => None,
    }
}

/// # Safety
/// As [`Transpose`].
unsafe fn transpose<U: Copy + Default>(a: *const u8, down: &[isize], c: *mut u8, across: &[isize]) {
    // SAFETY: the caller's promise; the block reads and writes four units at each pointer.
    unsafe { by_blocks::<U, 4>(a, down, c, across, block::<U>) }
}

/// # Safety
/// Four units can be read from and written to each pointer.
#[inline(always)]
unsafe fn block<U: Copy + Default>(from: [*const u8; 4], to: [*mut u8; 4]) {
    // SAFETY: the caller's promise.
    unsafe {
        let lines = from.map(|p| p.cast::<[U; 4]>().read_unaligned());
        let turned: [[U; 4]; 4] = std::array::from_fn(|k| lines.map(|line| line[k]));
        to.into_iter().zip(turned).for_each(|(p, line)| p.cast::<[U; 4]>().write_unaligned(line));
    }
}

/// Whole blocks of `SIDE` units each way by `block`, and the edges by single moves.
///
/// # Safety
/// As [`Transpose`]; `block` reads and writes `SIDE` units at each pointer.
#[inline(always)]
pub(super) unsafe fn by_blocks<U: Copy, const SIDE: usize>(
    a: *const u8,
    down: &[isize],
    c: *mut u8,
    across: &[isize],
    block: unsafe fn([*const u8; SIDE], [*mut u8; SIDE]),
) {
    let unit = size_of::<U>() as isize;
    let (whole_down, whole_across) = (down.len() / SIDE * SIDE, across.len() / SIDE * SIDE);
    // SAFETY: i < down.len() and j < across.len() throughout.
    unsafe {
        for i in (0..whole_down).step_by(SIDE) {
            let from: [*const u8; SIDE] = std::array::from_fn(|k| a.offset(*down.get_unchecked(i + k)));
            let c = c.offset(i as isize * unit);
            for j in (0..whole_across).step_by(SIDE) {
                let to: [*mut u8; SIDE] = std::array::from_fn(|k| c.offset(*across.get_unchecked(j + k)));
                block(from.map(|p| p.offset(j as isize * unit)), to);
            }
        }
        edges::<U>(a, down, c, across, whole_down, whole_across);
    }
}

/// What is left beside the whole blocks, one unit after the other.
///
/// # Safety
/// As [`Transpose`].
pub(super) unsafe fn edges<U: Copy>(
    a: *const u8,
    down: &[isize],
    c: *mut u8,
    across: &[isize],
    whole_down: usize,
    whole_across: usize,
) {
    let unit = size_of::<U>() as isize;
    // SAFETY: i < down.len() and j < across.len() throughout.
    unsafe {
        for (j, &to) in across.iter().enumerate() {
            for i in if j < whole_across { whole_down } else { 0 }..down.len() {
                let x = a.offset(*down.get_unchecked(i) + j as isize * unit).cast::<U>().read_unaligned();
                c.offset(to + i as isize * unit).cast::<U>().write_unaligned(x);
            }
        }
    }
}

/// Any tile: unit (i, j) from `a + a_down[i] + a_across[j]` to `c + down[i] + across[j]`.
///
/// # Safety
/// As [`super::Kernel::run`].
pub(super) unsafe fn units(tile: &Tile, a: *const u8, c: *mut u8, down: &[isize], across: &[isize]) {
    /// # Safety
    /// As [`units`].
    #[inline(always)]
    unsafe fn each(
        (a_down, a_across): (&[isize], &[isize]),
        a: *const u8,
        c: *mut u8,
        (down, across): (&[isize], &[isize]),
        copy: impl Fn(*const u8, *mut u8),
    ) {
        for (&from, &to) in a_across.iter().zip(across) {
            for (&a_i, &c_i) in a_down.iter().zip(down) {
                // SAFETY: the caller's promise.
                unsafe { copy(a.offset(from + a_i), c.offset(to + c_i)) };
            }
        }
    }
    let from = (&*tile.a_down, &*tile.a_across);
    // SAFETY: the caller's promise; each copy moves one unit.
    unsafe {
        match tile.unit {
            1 => each(from, a, c, (down, across), |a, c| *c = *a),
            4 => each(from, a, c, (down, across), |a, c| bits::<u32>(a, c)),
            8 => each(from, a, c, (down, across), |a, c| bits::<u64>(a, c)),
            16 => each(from, a, c, (down, across), |a, c| bits::<[u64; 2]>(a, c)),
            24 => each(from, a, c, (down, across), |a, c| bits::<[u64; 3]>(a, c)),
            32 => each(from, a, c, (down, across), |a, c| bits::<[u64; 4]>(a, c)),
            64 => each(from, a, c, (down, across), |a, c| bits::<[u64; 8]>(a, c)),
            n => each(from, a, c, (down, across), |a, c| stretch(a, c, n)),
        }
    }
}

/// # Safety
/// A `U` can be read and written, at any alignment.
#[inline(always)]
unsafe fn bits<U>(a: *const u8, c: *mut u8) {
    // SAFETY: the caller's promise.
    unsafe { c.cast::<U>().write_unaligned(a.cast::<U>().read_unaligned()) }
}

/// Copies `n` bytes, a few, by moves of fixed sizes of which the last may overlap the one before it.
///
/// # Safety
/// `n` bytes can be read and written.
#[inline(always)]
unsafe fn stretch(a: *const u8, c: *mut u8, n: usize) {
    /// # Safety
    /// As [`stretch`]; `n` is not below the size of `U`.
    #[inline(always)]
    unsafe fn by<U>(a: *const u8, c: *mut u8, n: usize) {
        let size = size_of::<U>();
        let mut at = 0;
        // SAFETY: every move lies within the n bytes.
        unsafe {
            while at + size < n {
                bits::<U>(a.add(at), c.add(at));
                at += size;
            }
            bits::<U>(a.add(n - size), c.add(n - size));
        }
    }
    // SAFETY: the caller's promise.
    unsafe {
        match n {
            0 => {}
            1..4 => by::<u8>(a, c, n),
            4..8 => by::<u32>(a, c, n),
            8..16 => by::<u64>(a, c, n),
            16..32 => by::<[u64; 2]>(a, c, n),
            _ => by::<[u64; 4]>(a, c, n),
        }
    }
}
