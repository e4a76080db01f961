# Arrays of our own type, for packages that choose their kernels by the type of array, as they do for GPUs: what such a
# package does with an `OxideArray`, the engine computes.

"""
    OxideArray{T,N} <: DenseArray{T,N}
    OxideArray(A), OxideArray{T}(undef, size…)

An array without gaps, first index fastest, whose products, permutations and decompositions the engine computes.
`OxideVector{T}` and `OxideMatrix{T}` are those with one and two dimensions. `T` is `Float32`, `Float64`, `ComplexF32`
or `ComplexF64`. `OxideArray(A)` is a copy of `A`, `Array(B)` copies back.

All functions of this package take it. `reshape`, `vec`, and `view` of a vector with a range share its memory and are
`OxideArray`s, too; `mul!`, `*`, `dot`, `norm`, `axpy!`, `axpby!`, `rmul!`, `permutedims`, `permutedims!` and broadcasts
work as for an `Array`. No other library is given its memory: what would call BLAS or LAPACK, as `LinearAlgebra.svd`
does, throws an `ArgumentError`.

It is the storage type for NDTensors and ITensors, see [`oxide`](@ref TensorOxide.oxide).

```jldoctest
julia> using TensorOxide

julia> A = TensorOxide.OxideArray([1.0 2.0; 3.0 4.0]);

julia> Array(A * A)
2×2 Matrix{Float64}:
  7.0  10.0
 15.0  22.0
```
"""
struct OxideArray{T,N} <: DenseArray{T,N}
    memory::Vector{T}
    offset::Int             # elements of `memory` before the first
    size::Dims{N}           # a vector of WHOLE extent is all of `memory`, so that it can grow
    function OxideArray{T,N}(memory::Vector{T}, offset::Int, size::Dims{N}) where {T,N}
        T <: Element || throw_unsupported(T, "the array")
        return new{T,N}(memory, offset, size)
    end
end
const OxideVector{T} = OxideArray{T,1}
const OxideMatrix{T} = OxideArray{T,2}
const WHOLE = (-1,)

OxideVector{T}(::UndefInitializer, size::Dims{1}) where {T} = OxideVector{T}(Vector{T}(undef, size), 0, WHOLE)
OxideArray{T,N}(::UndefInitializer, size::Dims{N}) where {T,N} =
    OxideArray{T,N}(Vector{T}(undef, checked_length(size)), 0, size)
OxideArray{T,N}(::UndefInitializer, size::Vararg{Integer,N}) where {T,N} = OxideArray{T,N}(undef, map(Int, size))
OxideArray{T}(::UndefInitializer, size::Dims{N}) where {T,N} = OxideArray{T,N}(undef, size)
OxideArray{T}(::UndefInitializer, size::Vararg{Integer,N}) where {T,N} = OxideArray{T,N}(undef, map(Int, size))
OxideVector{T}() where {T} = OxideVector{T}(undef, 0)

OxideArray{T,N}(A::AbstractArray{<:Any,N}) where {T,N} = copyto!(OxideArray{T,N}(undef, size(A)), A)
OxideArray{T}(A::AbstractArray{<:Any,N}) where {T,N} = OxideArray{T,N}(A)
OxideArray(A::AbstractArray{T,N}) where {T,N} = OxideArray{T,N}(A)
Base.convert(::Type{T}, A::AbstractArray) where {T<:OxideArray} = A isa T ? A : T(A)

@noinline throw_negative(size) = throw(ArgumentError("an array of size $size cannot be"))
checked_length(size::Dims) = all(n -> n >= 0, size) ? prod(size) : throw_negative(size)

# Beside arrays of other types this one decides.
Base.promote_rule(::Type{OxideArray{S,N}}, ::Type{Array{T,N}}) where {S,T,N} = OxideArray{promote_type(S, T),N}
Base.promote_rule(::Type{OxideArray{S,N}}, ::Type{OxideArray{T,N}}) where {S,T,N} = OxideArray{promote_type(S, T),N}

# As an array.

@inline Base.size(A::OxideVector) = A.size == WHOLE ? (length(A.memory),) : A.size
@inline Base.size(A::OxideArray) = A.size
@inline Base.length(A::OxideArray) = prod(size(A))
Base.strides(A::OxideArray) = dense(size(A))
Base.elsize(::Type{<:OxideArray{T}}) where {T} = sizeof(T)
Base.IndexStyle(::Type{<:OxideArray}) = IndexLinear()

Base.@propagate_inbounds function Base.getindex(A::OxideArray, i::Int)
    @boundscheck checkbounds(A, i)
    return @inbounds A.memory[A.offset+i]
end
Base.@propagate_inbounds function Base.setindex!(A::OxideArray, x, i::Int)
    @boundscheck checkbounds(A, i)
    @inbounds A.memory[A.offset+i] = x
    return A
end

# Of other elements than the engine's, as a broadcast with a comparison has, an `Array`.
new_array(::Type{T}, size::Dims) where {T<:Element} = OxideArray{T}(undef, size)
new_array(::Type{T}, size::Dims) where {T} = Array{T}(undef, size)
Base.similar(A::OxideArray, ::Type{T}, size::Dims) where {T} = new_array(T, size)
Base.similar(::Type{<:OxideArray{T}}, size::Dims) where {T} = new_array(T, size)

function Base.reshape(A::OxideArray{T,M}, size::Dims{N}) where {T,M,N}
    checked_length(size) == length(A) || throw(DimensionMismatch(
        "the $(length(A)) elements of an array of size $(Base.size(A)) cannot have size $size"))
    return OxideArray{T,N}(A.memory, A.offset, size)
end

@inline function Base.view(A::OxideVector{T}, range::AbstractUnitRange{Int}) where {T}
    @boundscheck checkbounds(A, range)
    return OxideVector{T}(A.memory, A.offset + first(range) - 1, (length(range),))
end

"Append to a vector that is no view: its memory only ever grows, so that its views stay what they are."
function Base.append!(A::OxideVector{T}, B::AbstractVector) where {T}
    A.size == WHOLE || throw(ArgumentError("a view cannot grow"))
    append!(A.memory, B)
    return A
end

@inline layout(A::OxideArray{T}, who) where {T} = (pointer(A.memory) + A.offset * sizeof(T), dense(size(A)), false)
@noinline Base.unsafe_convert(::Type{Ptr{T}}, A::OxideArray{T}) where {T} = throw(ArgumentError(
    "an OxideArray gives its memory to no other library than the engine: call a function of TensorOxide, as in " *
    "TensorOxide.svd_compact(A), or pass a copy, as in Array(A)"))

Base.dataids(A::OxideArray) = Base.dataids(A.memory)
Base.mightalias(A::OxideArray, B::OxideArray) =
    A.memory === B.memory && A.offset < B.offset + length(B) && B.offset < A.offset + length(A)

# Moving elements.

elements(A::OxideArray) = A.offset+1:A.offset+length(A)
check_length(A, B) = length(A) >= length(B) || throw(BoundsError(A, length(B)))

function Base.copyto!(A::OxideArray, B::OxideArray)
    check_length(A, B)
    copyto!(A.memory, A.offset + 1, B.memory, B.offset + 1, length(B))
    return A
end
function Base.copyto!(A::OxideArray, B::Array)
    check_length(A, B)
    copyto!(A.memory, A.offset + 1, B, 1, length(B))
    return A
end
function Base.copyto!(A::Array, B::OxideArray)
    copyto!(A, 1, B.memory, B.offset + 1, length(B))
    return A
end
Base.copy(A::OxideArray{T}) where {T} = copyto!(OxideArray{T}(undef, size(A)), A)
Base.fill!(A::OxideArray{T}, x) where {T} = (fill!(view(A.memory, elements(A)), convert(T, x)); A)

function Base.permutedims!(C::OxideArray{<:Any,N}, A::Union{OxideArray{<:Any,N},Array{<:Any,N}}, perm) where {N}
    order = ntuple(d -> Int(perm[d]), Val(N))
    length(perm) == N && isperm(order) || throw(ArgumentError("$perm is no permutation of 1:$N"))
    return einsum!(C, add_labels(order), A)
end
function Base.permutedims(A::OxideArray{T,N}, perm) where {T,N}
    return permutedims!(OxideArray{T,N}(undef, ntuple(d -> size(A, perm[d]), Val(N))), A, perm)
end

# Broadcasts are compiled by Julia.
Base.BroadcastStyle(::Type{<:OxideArray}) = Broadcast.ArrayStyle{OxideArray}()
Base.similar(bc::Broadcast.Broadcasted{Broadcast.ArrayStyle{OxideArray}}, ::Type{T}) where {T} =
    new_array(T, map(length, axes(bc)))

# Linear algebra of vectors.

LinearAlgebra.rmul!(A::OxideArray, s::Number) = (A .*= s; A)
LinearAlgebra.lmul!(s::Number, A::OxideArray) = (A .= s .* A; A)
LinearAlgebra.axpy!(α::Number, A::OxideArray, B::OxideArray) = axpby!(α, A, true, B)
LinearAlgebra.axpby!(α::Number, A::OxideArray, β::Number, B::OxideArray) = axpby!(α, A, β, B)
function axpby!(α, A, β, B)
    length(A) == length(B) || throw(DimensionMismatch("arrays of $(length(A)) and $(length(B)) elements"))
    einsum!(vec(B), ((1,),) => (1,), vec(A); α = α, β = β)
    return B
end

function LinearAlgebra.dot(A::OxideArray{S}, B::OxideArray{T}) where {S,T}
    length(A) == length(B) || throw(DimensionMismatch("arrays of $(length(A)) and $(length(B)) elements"))
    sum = Array{promote_type(S, T),0}(undef)
    return einsum!(sum, ((1,), (1,)) => (), vec(A), vec(B); conj = (true, false))[]
end

function LinearAlgebra.norm(A::OxideArray, p::Real = 2)
    isempty(A) && return float(zero(real(eltype(A))))
    p == 2 && return euclidean_norm(A)
    p == 1 && return sum(abs, A)
    p == Inf && return maximum(abs, A)
    return sum(x -> abs(x)^p, A)^(1 / real(eltype(A))(p))
end
# The sum of squares unless it came near the ends of the range, where it is taken of the elements over their largest.
function euclidean_norm(A::OxideArray{T}) where {T}
    square = real(LinearAlgebra.dot(A, A))
    floatmin(real(T)) / eps(real(T)) < square < Inf && return sqrt(square)
    largest = maximum(abs, A)
    return iszero(largest) || !isfinite(largest) ? largest : largest * sqrt(sum(x -> abs2(x / largest), A))
end

# Products of matrices. A method for each pair of wrappers, so that none is ambiguous with LinearAlgebra's.

wrapped(W) = W === :OxideMatrix ? :(OxideMatrix{T}) : :($W{T,OxideMatrix{T}})
const WRAPPERS = (:OxideMatrix, :Transpose, :Adjoint)
for W in WRAPPERS
    A = wrapped(W)
    for B in (map(wrapped, WRAPPERS)..., :(OxideVector{T}))
        C = B == :(OxideVector{T}) ? B : :(OxideMatrix{T})
        for Scalar in (:Number, :Real)
            @eval LinearAlgebra.mul!(C::$C, A::$A, B::$B, α::$Scalar, β::$Scalar) where {T<:Element} =
                product!(C, A, B, α, β)
        end
        @eval LinearAlgebra.mul!(C::$C, A::$A, B::$B) where {T<:Element} = product!(C, A, B, true, false)
        @eval Base.:*(A::$A, B::$B) where {T<:Element} =
            product!(OxideArray{T}(undef, (size(A, 1), tail(size(B))...)), A, B, true, false)
    end
end
function product!(C, A, B, α, β)
    size(A, 2) == size(B, 1) || throw(DimensionMismatch("matrices of size $(size(A)) and $(size(B)) have no product"))
    labels = ndims(B) == 1 ? ((1, 2), (2,)) => (1,) : ((1, 2), (2, 3)) => (1, 3)
    return einsum!(C, labels, A, B; α = α, β = β)
end

"""
    oxide(x)

`x` with its arrays copied into [`OxideArray`](@ref TensorOxide.OxideArray)s: an array, or, with Adapt loaded, whatever
that can adapt, as the tensors, MPS and MPO of ITensors. `adapt(Array, y)` is the way back.

```jldoctest
julia> using TensorOxide

julia> TensorOxide.oxide([1.0, 2.0]) isa TensorOxide.OxideVector{Float64}
true
```
"""
oxide(A::AbstractArray{<:Number}) = convert(OxideArray, A)

"""
    projected(H::MPO)

An `ITensorMPS.AbstractProjMPO` in place of ITensorMPS's `ProjMPO(H)`: it takes part in `dmrg(projected(H), ψ; …)` and
`tdvp(projected(H), t, ψ; …)` as `H` does, but the product of H, projected between the two parts of the chain, with
a state, and the growth of these parts, are each one contraction, planned as a whole (with quantum numbers, tensor by
tensor), whose intermediates lie in memory that is used again. `H` and `ψ` have to be tensors of
[`oxide`](@ref TensorOxide.oxide). `H` itself is left as it is.

It is there when ITensors and ITensorMPS are loaded.
"""
function projected end
