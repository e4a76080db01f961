//! Rectangles transposed in the registers of 64-bit Arm.

use std::arch::aarch64::*;

use super::portable::by_blocks;
use super::Transpose;

/// The kernel for units of so many bytes; those of 16 fill a register each and need none.
pub(super) fn neon(unit: usize) -> Option<Transpose> {
    match unit {
        4 => Some(blocks_of_4),
        8 => Some(blocks_of_8),
        _ => None,
    }
}

/// # Safety
/// As [`Transpose`].
unsafe fn blocks_of_4(a: *const u8, down: &[isize], c: *mut u8, across: &[isize]) {
    // SAFETY: the caller's promise; the block reads and writes four units at each pointer.
    unsafe { by_blocks::<u32, 4>(a, down, c, across, block_of_4) }
}

/// # Safety
/// As [`Transpose`].
unsafe fn blocks_of_8(a: *const u8, down: &[isize], c: *mut u8, across: &[isize]) {
    // SAFETY: the caller's promise; the block reads and writes four units at each pointer.
    unsafe { by_blocks::<u64, 4>(a, down, c, across, block_of_8) }
}

/// # Safety
/// 16 bytes can be read from and written to each pointer.
#[inline(always)]
unsafe fn block_of_4(from: [*const u8; 4], to: [*mut u8; 4]) {
    // SAFETY: the caller's promise; single bytes need no alignment, and NEON is part of the architecture.
    unsafe {
        let [r0, r1, r2, r3] = from.map(|p| vreinterpretq_u32_u8(vld1q_u8(p)));
        // Pairs of rows, whose columns 0 and 2, or 1 and 3, come to lie side by side; then the halves of those.
        let (even, odd) = ([vtrn1q_u32(r0, r1), vtrn1q_u32(r2, r3)], [vtrn2q_u32(r0, r1), vtrn2q_u32(r2, r3)]);
        let wide = |pair: [uint32x4_t; 2]| pair.map(|x| vreinterpretq_u64_u32(x));
        let ([a, b], [c, d]) = (wide(even), wide(odd));
        let columns = [vtrn1q_u64(a, b), vtrn1q_u64(c, d), vtrn2q_u64(a, b), vtrn2q_u64(c, d)];
        to.into_iter().zip(columns).for_each(|(p, column)| vst1q_u8(p, vreinterpretq_u8_u64(column)));
    }
}

/// # Safety
/// 32 bytes can be read from and written to each pointer.
#[inline(always)]
unsafe fn block_of_8(from: [*const u8; 4], to: [*mut u8; 4]) {
    // SAFETY: as in `block_of_4`.
    unsafe {
        for half in 0..2 {
            let [r0, r1, r2, r3] = from.map(|p| vreinterpretq_u64_u8(vld1q_u8(p.add(16 * half))));
            let columns = [[vtrn1q_u64(r0, r1), vtrn1q_u64(r2, r3)], [vtrn2q_u64(r0, r1), vtrn2q_u64(r2, r3)]];
            for (p, [low, high]) in to[2 * half..].iter().zip(columns) {
                vst1q_u8(*p, vreinterpretq_u8_u64(low));
                vst1q_u8(p.add(16), vreinterpretq_u8_u64(high));
            }
        }
    }
}
