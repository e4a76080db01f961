# The algebras that a contraction may be over, beside that of numbers: their elements and factors.

"""
    Semiring

What [`einsum`](@ref), [`einsum!`](@ref) and [`contraction_plan`](@ref) may compute with in the place of `+` and `*`,
given as the keyword `semiring`:

| semiring | elements | sum | product | zero | one |
|:---|:---|:---|:---|:---|:---|
| `MaxPlus()` | `Float32`, `Float64` | `max` | `+` | `-Inf` | `0` |
| `MinPlus()` | `Float32`, `Float64` | `min` | `+` | `Inf` | `0` |
| `MaxTimes()` | `Float32`, `Float64`, none negative | `max` | `*` | `0` | `1` |
| `AndOr()` | `Bool` | `\\|` | `&` | `false` | `true` |
| `PlusTimes()` | `Int64`, wrapping around | `+` | `*` | `0` | `1` |

Sums are exact in any order. The zero is a strong one: what it is multiplied by does not matter, not even `±Inf`; `NaN`
counts as the zero.
"""
abstract type Semiring end
"`max` and `+` in the place of `+` and `*`: a [`Semiring`](@ref TensorOxide.Semiring)."
struct MaxPlus <: Semiring end
"`min` and `+` in the place of `+` and `*`: a [`Semiring`](@ref TensorOxide.Semiring)."
struct MinPlus <: Semiring end
"`max` in the place of `+`, for numbers that are not negative: a [`Semiring`](@ref TensorOxide.Semiring)."
struct MaxTimes <: Semiring end
"`|` and `&` of `Bool`s: a [`Semiring`](@ref TensorOxide.Semiring)."
struct AndOr <: Semiring end
"`+` and `*` of `Int64`s that wrap around: a [`Semiring`](@ref TensorOxide.Semiring)."
struct PlusTimes <: Semiring end

# C's TOX_NUMBERS, TOX_MAX_PLUS, …
code(::Nothing) = Int32(0)
code(::MaxPlus) = Int32(1)
code(::MinPlus) = Int32(2)
code(::MaxTimes) = Int32(3)
code(::AndOr) = Int32(4)
code(::PlusTimes) = Int32(5)

const ALGEBRAS = (nothing, MaxPlus(), MinPlus(), MaxTimes(), AndOr(), PlusTimes())
algebra(code) = ALGEBRAS[code+1]

dltype(::Type{Bool}) = DLDataType(6, 8, 1)
dltype(::Type{Int64}) = DLDataType(0, 64, 1)

"Semirings whose sum is one of its terms, so that a configuration attains it."
const Selective = Union{MaxPlus,MinPlus,MaxTimes}

default_eltype(::Union{Nothing,Selective}) = Float64
default_eltype(::AndOr) = Bool
default_eltype(::PlusTimes) = Int64

"Throw unless the algebra has elements of type `T`; `what` says which array has them."
@inline check_eltype(::Nothing, ::Type{T}, what) where {T} =
    T <: Element && isconcretetype(T) || throw_unsupported(T, what)
@inline check_eltype(semiring::Selective, ::Type{T}, what) where {T} =
    T === Float64 || T === Float32 || throw_semiring(semiring, T, what)
@inline check_eltype(semiring::Semiring, ::Type{T}, what) where {T} =
    T === default_eltype(semiring) || throw_semiring(semiring, T, what)
@noinline throw_semiring(semiring, T, what) = throw(ArgumentError(string(
    what, " has elements of type ", T, "; ", nameof(typeof(semiring)), "() computes with ",
    semiring isa AndOr ? "Bool" : semiring isa PlusTimes ? "Int64" : "Float32 and Float64")))

"The element type to compute with: one that the algebra has, to which Julia promotes the operands."
@inline element_type(::Nothing, As) = element_type(As)
@inline element_type(semiring::Semiring, As) = default_eltype(semiring)
@inline function element_type(semiring::Selective, As)
    T = element_type(As)
    check_eltype(semiring, T, "the operands together")
    return T
end

"α and β as the engine takes them."
@inline factors(::Nothing, ::Type{T}, α, β) where {T} = scalar(T, α, "α"), scalar(T, β, "β")
@inline function factors(::Semiring, ::Type, α, β)
    isone(α) && (iszero(β) || isone(β)) || throw_factors(α, β)
    return ComplexF64(1), ComplexF64(isone(β))
end
@noinline throw_factors(α, β) = throw(ArgumentError(
    "α = $α and β = $β: over a semiring α is 1, and β is 0 for C = result or 1 for C = C ⊕ result"))
