//! Units moved from a rectangle of A to one of C, with the offsets of a tile: transposed in registers where the units
//! have 4, 8 or 16 bytes. Only bits move, so that every element type of a size shares a kernel.

#[cfg(target_arch = "aarch64")]
mod neon;
mod portable;
#[cfg(target_arch = "x86_64")]
mod x86;

use super::tiling::Tile;
use crate::simd::Isa;

/// Moves the unit at `a + down[i] + j·unit` to `c + across[j] + i·unit`, for all i and j.
///
/// # Safety
/// All these units can be read and written, and do not overlap; the processor has the instruction set.
pub(super) type Transpose = unsafe fn(a: *const u8, down: &[isize], c: *mut u8, across: &[isize]);

/// What moves a tile's rectangles.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kernel {
    /// Transposed in registers.
    Registers(Transpose),
    /// One unit after the other, at the offsets of all tables.
    Units,
}

impl Kernel {
    /// The best one for a tile.
    pub(super) fn new(isa: Isa, tile: &Tile) -> Kernel {
        let (m, n) = (tile.a_down.len(), tile.a_across.len());
        if !(tile.contiguous && tile.dense) || m < 2 || n < 2 {
            return Kernel::Units;
        }
        let kernel = match isa {
            #[cfg(all(target_arch = "x86_64", tensoroxide_avx512))]
            Isa::Avx512 if Isa::best() >= Isa::Avx512 => x86::avx512(tile.unit, m.min(n)),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 if Isa::best() >= Isa::Avx2 => x86::avx2(tile.unit, m.min(n)),
            #[cfg(target_arch = "aarch64")]
            Isa::Neon => neon::neon(tile.unit),
            _ => None,
        };
        kernel.or_else(|| portable::blocks(tile.unit)).map_or(Kernel::Units, Kernel::Registers)
    }

    /// Moves a rectangle from `a` to `c`; `to_c` and `across` are its offsets there.
    ///
    /// # Safety
    /// From `a` and `c`, every unit of the tables can be read and written.
    #[inline]
    pub(super) unsafe fn run(self, tile: &Tile, a: *const u8, c: *mut u8, down: &[isize], across: &[isize]) {
        // SAFETY: the caller's promise; the kernel was chosen for this tile and processor.
        unsafe {
            match self {
                Kernel::Registers(transpose) => transpose(a, &tile.a_down, c, across),
                Kernel::Units => portable::units(tile, a, c, down, across),
            }
        }
    }
}
