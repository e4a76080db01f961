# TensorOperations' interface on the engine: positions become labels, and `einsum!` does the rest.
module TensorOxideTensorOperationsExt

using LinearAlgebra: Diagonal
using TensorOperations: TensorOperations, AbstractBackend, DefaultAllocator, Index2Tuple, One, StridedView, Zero,
                        linearize
using TensorOperations: argcheck_tensoradd, argcheck_tensorcontract, argcheck_tensortrace, dimcheck_tensoradd,
                        dimcheck_tensorcontract, dimcheck_tensortrace
using TensorOperations: allocator_checkpoint!, allocator_reset!, tensoralloc, tensorfree!
using TensorOperations.PtrArrays: PtrArray
using TensorOxide: TensorOxide, TensorOxideAllocator, add_labels, borrow!, contract_labels, einsum!, go_back!, mark,
                   on_diagonals, task_scratch, trace_labels

struct Backend <: AbstractBackend end
TensorOxide.TensorOxideBackend() = Backend()
Base.show(io::IO, ::Backend) = print(io, "TensorOxideBackend()")

# A view's own conjugation is the engine's to apply.
@inline function TensorOxide.layout(A::StridedView{T}, who) where {T}
    p, _, conjugated = TensorOxide.layout(parent(A), who)
    conjugates = T <: Complex && (A.op === conj || A.op === adjoint)
    return convert(Ptr{T}, p) + A.offset * sizeof(T), strides(A), conjugated ⊻ conjugates
end

function TensorOperations.tensoradd!(C::AbstractArray, A::AbstractArray, pA::Index2Tuple, conjA::Bool,
                                     α::Number, β::Number, ::Backend, allocator = DefaultAllocator())
    argcheck_tensoradd(C, A, pA)
    dimcheck_tensoradd(C, A, pA)
    p = linearize(pA)
    # As in `A[a, b] += conj(A[a, b])`, which others allow.
    copied = issorted(p) && Base.mightalias(C, A)
    return compute!(C, add_labels(p), (A,), (conjA,), α, β, allocator; copied)
end

function TensorOperations.tensortrace!(C::AbstractArray, A::AbstractArray, p::Index2Tuple, q::Index2Tuple, conjA::Bool,
                                       α::Number, β::Number, ::Backend, allocator = DefaultAllocator())
    argcheck_tensortrace(C, A, p, q)
    dimcheck_tensortrace(C, A, p, q)
    return compute!(C, trace_labels(linearize(p), q), (A,), (conjA,), α, β, allocator)
end

function TensorOperations.tensorcontract!(C::AbstractArray, A::AbstractArray, pA::Index2Tuple, conjA::Bool,
                                          B::AbstractArray, pB::Index2Tuple, conjB::Bool, pAB::Index2Tuple,
                                          α::Number, β::Number, ::Backend, allocator = DefaultAllocator())
    argcheck_tensorcontract(C, A, pA, B, pB, pAB)
    dimcheck_tensorcontract(C, A, pA, B, pB, pAB)
    return compute!(C, contract_labels(pA, pB, linearize(pAB)), (A, B), (conjA, conjB), α, β, allocator)
end

@inline function compute!(C::AbstractArray{T}, labels, As, conj, α, β, allocator; copied = false) where {T}
    TensorOxide.check_eltype(nothing, T, "the output")
    α, β = scalar(T, α, "α"), scalar(T, β, "β")
    kept, output, operands = on_diagonals(labels, C, As)
    flags = T <: Complex ? conj : nothing
    if !copied && all(A -> eltype(A) === T, operands)
        einsum!(output, kept, operands...; α, β, conj = flags)
    else
        with_copies!(output, kept, operands, flags, α, β, allocator, copied)
    end
    return C
end

# Operands of other element types are converted, as by the other backends, also to a narrower one.
function with_copies!(C::AbstractArray{T}, labels, As, conj, α, β, allocator, copied) where {T}
    checkpoint = allocator_checkpoint!(allocator)
    Bs = map(A -> copied || eltype(A) !== T ? copy_of(A, T, allocator) : A, As)
    einsum!(C, labels, Bs...; α, β, conj)
    foreach((A, B) -> A === B || tensorfree!(B, allocator), As, Bs)
    allocator_reset!(allocator, checkpoint)
    return nothing
end
function copy_of(A::AbstractArray{S,N}, ::Type{T}, allocator) where {S,N,T}
    T <: Real && S <: Complex && throw(ArgumentError("an operand is complex, but the output's elements are $T"))
    return copyto!(tensoralloc(Array{T,N}, size(A), Val(true), allocator), A)
end

# TensorOperations' One() and Zero() are numbers of no type that the engine knows.
@inline function scalar(::Type{T}, x::Number, what) where {T}
    T <: Real && x isa Complex && !iszero(imag(x)) && throw(ArgumentError(
        "$what = $x is not real, but the output's elements are $T"))
    return convert(T, x)
end

function TensorOperations.tensoralloc(::Type{A}, structure, ::Val{istemp},
                                      ::TensorOxideAllocator) where {A<:AbstractArray,istemp}
    T = eltype(A)
    istemp && A <: Array && isbitstype(T) || return tensoralloc(A, structure, Val(istemp))
    return array_at(convert(Ptr{T}, borrow!(task_scratch(), Base.checked_mul(prod(structure), sizeof(T)))), structure)
end
array_at(p, shape::Tuple) = PtrArray(p, shape...)
# TensorKit, which gives a length, wants the vector to be of the very type that it names.
array_at(p, n::Integer) = unsafe_wrap(Array, p, n)
TensorOperations.allocator_checkpoint!(::TensorOxideAllocator) = mark(task_scratch())
TensorOperations.allocator_reset!(allocator::TensorOxideAllocator, checkpoint) =
    (go_back!(task_scratch(), checkpoint); allocator)

# What the first contractions and permutations of a session would compile, of arrays with few indices.
for T in (Float64, ComplexF64), M in 0:3, N in 0:3
    Positions(M, N) = Tuple{NTuple{M,Int},NTuple{N,Int}}
    for K in 1:2
        precompile(TensorOperations.tensorcontract!,
                   (Array{T,M+N}, Array{T,M+K}, Positions(M, K), Bool, Array{T,K+N}, Positions(K, N), Bool,
                    Positions(M + N, 0), One, Zero, Backend, DefaultAllocator))
    end
    M == 0 && precompile(TensorOperations.tensoradd!, (Array{T,N+1}, Array{T,N+1}, Positions(N + 1, 0), Bool, One, Zero,
                                                       Backend, DefaultAllocator))
end

end
