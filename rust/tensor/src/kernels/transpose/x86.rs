//! Rectangles transposed in the registers of x86-64.

use std::arch::x86_64::*;

use super::{portable, Transpose};

/// The AVX2 kernel for units of so many bytes in rectangles that have at least `side` of them each way.
pub(super) fn avx2(unit: usize, side: usize) -> Option<Transpose> {
    match unit {
        4 if side >= 8 => Some(avx2_8x8_of_4),
        8 if side >= 4 => Some(avx2_4x4_of_8),
        16 => Some(avx2_2x2_of_16),
        _ => None,
    }
}

/// A kernel that moves whole blocks of `$side` units each way and leaves the edges to single moves.
macro_rules! blocks {
    ($name:ident, $features:literal, $unit:ty, $side:literal, $block:ident) => {
        #[target_feature(enable = $features)]
        unsafe fn $name(a: *const u8, down: &[isize], c: *mut u8, across: &[isize]) {
            let unit = size_of::<$unit>() as isize;
            let (whole_down, whole_across) = (down.len() / $side * $side, across.len() / $side * $side);
            // SAFETY: the caller's promise; i and j stay below the whole blocks.
            unsafe {
                for i in (0..whole_down).step_by($side) {
                    let from: [*const u8; $side] = std::array::from_fn(|k| a.offset(*down.get_unchecked(i + k)));
                    let c = c.offset(i as isize * unit);
                    for j in (0..whole_across).step_by($side) {
                        let to: [*mut u8; $side] = std::array::from_fn(|k| c.offset(*across.get_unchecked(j + k)));
                        $block(from.map(|from| from.offset(j as isize * unit)), to);
                    }
                }
                if whole_down < down.len() || whole_across < across.len() {
                    portable::edges::<$unit>(a, down, c, across, whole_down, whole_across);
                }
            }
        }
    };
}

blocks!(avx2_8x8_of_4, "avx2,fma", u32, 8, avx2_block_of_4);
blocks!(avx2_4x4_of_8, "avx2,fma", u64, 4, avx2_block_of_8);
blocks!(avx2_2x2_of_16, "avx2,fma", [u64; 2], 2, avx2_block_of_16);

/// # Safety
/// AVX2; 32 bytes can be read from and written to each pointer.
#[inline]
#[target_feature(enable = "avx2,fma")]
unsafe fn avx2_block_of_8(from: [*const u8; 4], to: [*mut u8; 4]) {
    // SAFETY: the caller's promise.
    unsafe {
        let [r0, r1, r2, r3] = from.map(|p| _mm256_loadu_si256(p.cast()));
        let (s0, s1) = (_mm256_unpacklo_epi64(r0, r1), _mm256_unpackhi_epi64(r0, r1));
        let (s2, s3) = (_mm256_unpacklo_epi64(r2, r3), _mm256_unpackhi_epi64(r2, r3));
        _mm256_storeu_si256(to[0].cast(), _mm256_permute2x128_si256::<0x20>(s0, s2));
        _mm256_storeu_si256(to[1].cast(), _mm256_permute2x128_si256::<0x20>(s1, s3));
        _mm256_storeu_si256(to[2].cast(), _mm256_permute2x128_si256::<0x31>(s0, s2));
        _mm256_storeu_si256(to[3].cast(), _mm256_permute2x128_si256::<0x31>(s1, s3));
    }
}

/// # Safety
/// As [`avx2_block_of_8`].
#[inline]
#[target_feature(enable = "avx2,fma")]
unsafe fn avx2_block_of_4(from: [*const u8; 8], to: [*mut u8; 8]) {
    // SAFETY: the caller's promise.
    unsafe {
        let r = from.map(|p| _mm256_loadu_si256(p.cast()));
        // Pairs of rows, then quadruples, within halves; then the halves.
        let s: [__m256i; 8] = std::array::from_fn(|k| match k % 2 {
            0 => _mm256_unpacklo_epi32(r[k], r[k + 1]),
            _ => _mm256_unpackhi_epi32(r[k - 1], r[k]),
        });
        let q: [__m256i; 8] = std::array::from_fn(|k| {
            let (base, pair) = (k / 4 * 4, k % 4 / 2);
            match k % 2 {
                0 => _mm256_unpacklo_epi64(s[base + pair], s[base + pair + 2]),
                _ => _mm256_unpackhi_epi64(s[base + pair], s[base + pair + 2]),
            }
        });
        for k in 0..4 {
            _mm256_storeu_si256(to[k].cast(), _mm256_permute2x128_si256::<0x20>(q[k], q[k + 4]));
            _mm256_storeu_si256(to[k + 4].cast(), _mm256_permute2x128_si256::<0x31>(q[k], q[k + 4]));
        }
    }
}

/// # Safety
/// As [`avx2_block_of_8`].
#[inline]
#[target_feature(enable = "avx2,fma")]
unsafe fn avx2_block_of_16(from: [*const u8; 2], to: [*mut u8; 2]) {
    // SAFETY: the caller's promise.
    unsafe {
        let [r0, r1] = from.map(|p| _mm256_loadu_si256(p.cast()));
        _mm256_storeu_si256(to[0].cast(), _mm256_permute2x128_si256::<0x20>(r0, r1));
        _mm256_storeu_si256(to[1].cast(), _mm256_permute2x128_si256::<0x31>(r0, r1));
    }
}

#[cfg(tensoroxide_avx512)]
pub(super) use wide::avx512;

/// What needs Rust 1.89.
#[cfg(tensoroxide_avx512)]
#[allow(clippy::incompatible_msrv)] // compiled only where the compiler has it
mod wide {
    use super::*;

    /// The AVX-512 kernel, as [`super::avx2`]. Units of 4 bytes are left to AVX2: of the sixteen rows of a wider block,
    /// where they lie a power of two apart, not all stay in a first cache of twelve ways (measured: half the
    /// bandwidth).
    pub(in super::super) fn avx512(unit: usize, side: usize) -> Option<Transpose> {
        match unit {
            8 if side >= 8 => Some(masked_8x8_of_8),
            16 if side >= 4 => Some(masked_4x4_of_16),
            _ => avx2(unit, side),
        }
    }

    /// As `blocks!`, with edges of fewer units in masked registers.
    macro_rules! masked {
        ($name:ident, $unit:literal, $side:literal, $block:ident) => {
            #[target_feature(enable = "avx512f,avx512dq,avx512bw,avx512vl,avx2,fma")]
            unsafe fn $name(a: *const u8, down: &[isize], c: *mut u8, across: &[isize]) {
                // SAFETY: the caller's promise; masked units are not touched.
                unsafe {
                    for i in (0..down.len()).step_by($side) {
                        let high = (down.len() - i).min($side);
                        let c = c.offset(i as isize * $unit);
                        // Missing rows repeat the last one; nobody sees them.
                        let last = down.len() - 1;
                        let rows: [*const u8; $side] =
                            std::array::from_fn(|k| a.offset(*down.get_unchecked((i + k).min(last))));
                        for j in (0..across.len()).step_by($side) {
                            let wide = (across.len() - j).min($side);
                            let from = rows.map(|row| row.offset(j as isize * $unit));
                            if wide == $side && high == $side {
                                for (k, row) in $block::<false>(from, 0).into_iter().enumerate() {
                                    let to = c.offset(*across.get_unchecked(j + k));
                                    _mm512_storeu_si512(to.cast(), row);
                                }
                            } else {
                                // Lanes of 4 bytes serve every unit.
                                let lanes = |units: usize| ((1u32 << (units * $unit / 4)) - 1) as __mmask16;
                                let block = $block::<true>(from, lanes(wide));
                                for (k, row) in block.into_iter().enumerate().take(wide) {
                                    let to = c.offset(*across.get_unchecked(j + k));
                                    _mm512_mask_storeu_epi32(to.cast(), lanes(high), row);
                                }
                            }
                        }
                    }
                }
            }
        };
    }

    masked!(masked_8x8_of_8, 8, 8, block_of_8);
    masked!(masked_4x4_of_16, 16, 4, block_of_16);

    /// # Safety
    /// AVX-512; 64 bytes, or those in the mask, can be read.
    #[inline]
    #[target_feature(enable = "avx512f,avx512dq,avx512bw,avx512vl,avx2,fma")]
    unsafe fn load<const MASK: bool>(from: *const u8, lanes: __mmask16) -> __m512i {
        // SAFETY: the caller's promise.
        unsafe {
            match MASK {
                true => _mm512_maskz_loadu_epi32(lanes, from.cast()),
                false => _mm512_loadu_si512(from.cast()),
            }
        }
    }

    /// The eight 128-bit columns of a 4 × 4 block of quarters: rows 0, 4, 8, 12 of a stage become its columns.
    ///
    /// # Safety
    /// AVX-512.
    #[inline]
    #[target_feature(enable = "avx512f,avx512dq,avx512bw,avx512vl,avx2,fma")]
    unsafe fn quarters([r0, r1, r2, r3]: [__m512i; 4]) -> [__m512i; 4] {
        let (s0, s1) = (_mm512_shuffle_i64x2::<0x44>(r0, r1), _mm512_shuffle_i64x2::<0xEE>(r0, r1));
        let (s2, s3) = (_mm512_shuffle_i64x2::<0x44>(r2, r3), _mm512_shuffle_i64x2::<0xEE>(r2, r3));
        [
            _mm512_shuffle_i64x2::<0x88>(s0, s2),
            _mm512_shuffle_i64x2::<0xDD>(s0, s2),
            _mm512_shuffle_i64x2::<0x88>(s1, s3),
            _mm512_shuffle_i64x2::<0xDD>(s1, s3),
        ]
    }

    /// # Safety
    /// As [`load`].
    #[inline]
    #[target_feature(enable = "avx512f,avx512dq,avx512bw,avx512vl,avx2,fma")]
    unsafe fn block_of_16<const MASK: bool>(from: [*const u8; 4], lanes: __mmask16) -> [__m512i; 4] {
        // SAFETY: the caller's promise.
        unsafe { quarters(from.map(|p| load::<MASK>(p, lanes))) }
    }

    /// # Safety
    /// As [`load`].
    #[inline]
    #[target_feature(enable = "avx512f,avx512dq,avx512bw,avx512vl,avx2,fma")]
    unsafe fn block_of_8<const MASK: bool>(from: [*const u8; 8], lanes: __mmask16) -> [__m512i; 8] {
        // SAFETY: the caller's promise.
        unsafe {
            let r = from.map(|p| load::<MASK>(p, lanes));
            let even: [__m512i; 4] = std::array::from_fn(|k| _mm512_unpacklo_epi64(r[2 * k], r[2 * k + 1]));
            let odd: [__m512i; 4] = std::array::from_fn(|k| _mm512_unpackhi_epi64(r[2 * k], r[2 * k + 1]));
            let (even, odd) = (quarters(even), quarters(odd));
            std::array::from_fn(|k| if k % 2 == 0 { even[k / 2] } else { odd[k / 2] })
        }
    }
}
