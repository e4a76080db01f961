# `einsum` and `einsum!`: contractions in index notation whose plans are made by themselves.

"""
    einsum(expression, A, B, …; conj = nothing, semiring = nothing)
    einsum(labels => output, A, B, …; conj = nothing, semiring = nothing)

Contract any number of strided arrays (or numbers, as operands without labels) as `expression` says, e.g.
`einsum("ij,jk->ik", A, B)` for the matrix product. A label that the output lacks is summed over; one that several
operands and the output share is a batch index; one that occurs twice in an operand runs over its diagonal, and twice in
the output fills a diagonal and zeros beside it; `...` stands for any further indices; parentheses fix the order, as in
`"ab,(bc,cd)->ad"`. An index of size 1 goes with any other size of its label, as in NumPy. Returns a new `Array`, or a
number if no label is left.

A label is a letter, a digit, or any character beyond ASCII; case matters. Integers are the other way to write labels,
as many as one likes: `einsum(((1, 2), (2, 3)) => (1, 3), A, B)`, or with vectors, `[[1, 2], [2, 3]] => [1, 3]`. In an
expression they stand in braces, as in `"{1}{2},{2}{3}->{1}{3}"`.

Operands of different element types are converted to the type that Julia promotes them to, integers and `Bool`s (where
they are all there is) to their `float`. `conj` has one `Bool` per operand, `true` for one to be taken complex
conjugated; `A'` does this to a matrix without a copy. With a [`semiring`](@ref TensorOxide.Semiring), as in
`einsum("ij,jk->ik", A, B; semiring = MaxPlus())`, its operations take the place of `+` and `*`.

The plan of a call is kept and used again by calls with the same expression, shapes, element type and `conj`. How many
indices the result has is in the text of the expression, where the compiler does not look: inner loops want a
[`contraction_plan`](@ref), or [`einsum!`](@ref).

Throws an `ArgumentError` for an expression that cannot be read, an output label that no operand has, a number of
operands that does not fit, or an operand that is not strided or whose element type is not supported; a
`DimensionMismatch` for an operand whose rank does not fit or for a label with two sizes.

```jldoctest
julia> using TensorOxide

julia> A = [1.0 2.0; 3.0 4.0];

julia> einsum("ij,jk->ik", A, A)
2×2 Matrix{Float64}:
  7.0  10.0
 15.0  22.0

julia> einsum(((1, 2), (1, 2)) => (), A, A)
30.0

julia> einsum("ii->", A)
5.0

julia> einsum("i,i->", [1im, 2], [1im, 2]; conj = (true, false))
5.0 + 0.0im
```
"""
@inline function einsum(expression::Union{AbstractString,Pair}, As::Vararg{Any,M}; conj = nothing,
                        semiring::Union{Nothing,Semiring} = nothing) where {M}
    T = element_type(semiring, As)
    return into_new(T, semiring, readable(expression), prepare(T, As), conj)
end

"""
    einsum!(C, expression, A, B, …; α = true, β = false, conj = nothing, semiring = nothing)

Compute `C = α·einsum(expression, A, B, …) + β·C` in place and return `C`, any strided array of the right size
(`Array`, `view`, `PermutedDimsArray`, `transpose`, `adjoint`, a zero-dimensional array where no label is left). With
`β = 0` the content of `C` is never read, so it may hold `NaN`.

With a [`semiring`](@ref TensorOxide.Semiring) `α` is 1, and `β` is 0 for `C = result` or 1 for `C = C ⊕ result`.

Operands are converted to the element type of `C` where Julia promotes them to it. Once the plan for these shapes is
known, a call allocates nothing on Julia's heap when no operand has to be converted.

Throws what [`einsum`](@ref) throws; and a `DimensionMismatch` for a `C` of another size than the result; an
`ArgumentError` for one that shares memory with an operand or with itself, or that cannot hold the result's elements.
After an error `C` is as it was.

```jldoctest
julia> using TensorOxide

julia> C = ones(2);

julia> einsum!(C, "ij,j->i", [1.0 2.0; 3.0 4.0], [1.0, 1.0]; α = 2, β = 1)
2-element Vector{Float64}:
  7.0
 15.0
```
"""
@inline function einsum!(C::AbstractArray{T,N}, expression::Union{AbstractString,Pair}, As::Vararg{Any,M};
                         α::Number = true, β::Number = false, conj = nothing,
                         semiring::S = nothing) where {T,N,M,S<:Union{Nothing,Semiring}}
    check_eltype(semiring, T, "the output")
    into!(C, T, semiring, readable(expression), prepare(T, As), conj, factors(semiring, T, α, β)...)
    return C
end

# A call: its operands, output and labels are written into a frame, which is all that the rest looks at. The part that is
# compiled for each combination of orders ends there.

@inline readable(expression::AbstractString) = String(expression)
@inline readable(expression::Union{PlainText,Pair}) = expression

@inline function into!(C::AbstractArray, T, semiring, expression, As, conj, α, β)
    needed = words(As) + words(C) + words(expression)
    if As isa Tuple && needed <= FRAME_WORDS
        frame = Ref{Frame}()
        GC.@preserve frame C As into!(pointer_from_objref(frame), C, T, semiring, expression, As, conj, α, β)
    else
        larger = Vector{Int64}(undef, needed)
        GC.@preserve larger C As into!(pointer(larger), C, T, semiring, expression, As, conj, α, β)
    end
    return nothing
end

@inline function into!(frame::Ptr, C::AbstractArray, T, semiring, expression, As, conj, α, β)
    sought, flags, room = lay_out!(frame, semiring, expression, As, conj)
    output = sought.tensors + sought.count * sizeof(DLTensor)
    flip, _ = place!(output, 1, room, C, OUTPUT)
    run_remembered!(sought, T, flags, output, flip, α, β)
end

@inline function into_new(T, semiring, expression, As, conj)
    # Room for an output with as many indices as all operands together, or eight.
    needed = words(As) + words(expression) + TENSOR_WORDS + max(words(As), 2FEW)
    if As isa Tuple && needed <= FRAME_WORDS
        frame = Ref{Frame}()
        C = GC.@preserve frame As into_new(pointer_from_objref(frame), T, semiring, expression, As, conj, needed)
    else
        larger = Vector{Int64}(undef, needed)
        C = GC.@preserve larger As into_new(pointer(larger), T, semiring, expression, As, conj, needed)
    end
    return C isa Array{T,0} ? C[] : C
end

@inline function into_new(frame::Ptr, T, semiring, expression, As, conj, needed)
    sought, flags, room = lay_out!(frame, semiring, expression, As, conj)
    return run_new(sought, T, flags, room, convert(Ptr{Int64}, frame) + 8needed)
end

"Operands and labels in the frame: what is sought, the operands' flags, and the room behind them."
@inline function lay_out!(frame::Ptr, semiring, expression, As, conj)
    count = length(As)
    tensors = convert(Ptr{DLTensor}, frame)
    flags = convert(Ptr{UInt8}, tensors + (count + 1) * sizeof(DLTensor))
    room = place_all!(tensors, 1, flags, convert(Ptr{Int64}, flags) + 8count, As)
    turn!(flags, count, conj)
    after = store!(room, expression)
    text = expression isa Pair ? nothing : expression
    return Sought(text, room, Int(after - room) ÷ 8, tensors, count, code(semiring)), flags, after
end

# Numbers that are real are not conjugated, whatever their flag.
@inline turn!(flags, count, ::Nothing) = nothing
@inline function turn!(flags, count, conj)
    length(conj) == count || throw_conj(conj, count)
    for k in 1:count
        unsafe_store!(flags, unsafe_load(flags, k) ⊻ (conj[k]::Bool % UInt8), k)
    end
end
@noinline throw_conj(conj, count) = throw(ArgumentError("conj has $(length(conj)) entries for $count operands"))

@noinline function run_remembered!(sought::Sought, T::DataType, flags, output, flip, α, β)
    entry = remembered(sought, T)
    length(entry.extents) == unsafe_load(output).ndim || throw_rank(entry.plan, unsafe_load(output))
    GC.@preserve entry run_flipped!(entry.handle, sought.tensors, sought.count, flags, output, flip, α, β)
end

@noinline function run_new(sought::Sought, T::DataType, flags, room, limit)
    entry = remembered(sought, T)
    C = empty_output(entry.plan)::Array
    extents = entry.extents
    rank = length(extents)
    spare = room + 16rank > limit ? Vector{Int64}(undef, 2rank) : nothing
    spare === nothing || (room = pointer(spare))
    GC.@preserve entry C spare begin
        step = 1
        for d in 1:rank
            unsafe_store!(room, extents[d], d)
            unsafe_store!(room, step, rank + d)
            step *= extents[d]
        end
        data = ccall(:jl_array_ptr, Ptr{Cvoid}, (Any,), C)
        output = sought.tensors + sought.count * sizeof(DLTensor)
        unsafe_store!(output, DLTensor(data, CPU, rank, entry.dtype, room, room + 8rank, 0))
        plan_run(entry.handle, sought.tensors, sought.count, flags, output, ComplexF64(1), ComplexF64(0))
    end
    return C
end

"The plan for these operands, kept or made."
function cached_plan(semiring, ::Type{T}, expression, As, conj) where {T}
    frame = Vector{Int64}(undef, words(As) + words(expression) + TENSOR_WORDS)
    GC.@preserve frame As begin
        sought, _ = lay_out!(pointer(frame), semiring, readable(expression), As, nothing)
        return remembered(sought, T, conj).plan
    end
end

@noinline function throw_rank(plan, output)
    size = Tuple(unsafe_load(output.shape, d) for d in 1:output.ndim)
    throw(DimensionMismatch(
        "the output has size $size, but $(repr(plan.expression)) gives size $(plan.output_size)"))
end

"The element type to compute with: what the operands promote to, integers made floating-point."
@inline function element_type(As::Tuple)
    T = promoted(As)
    T <: Element && return T
    return float_type(T, As)
end
@inline promoted(As::NTuple{M,Any}) where {M} = M <= FEW ? promote_few(As) : mapreduce(eltype, promote_type, As)
@inline promote_few(::Tuple{}) = Float64
@inline promote_few(As::Tuple{Any}) = eltype(first(As))
@inline promote_few(As::Tuple) = promote_type(eltype(first(As)), promote_few(tail(As)))

@inline float_type(::Type{T}, As) where {T<:Union{Integer,Complex{<:Integer}}} = supported(float(T), As)
@inline float_type(::Type{T}, As) where {T} = supported(T, As)
@inline supported(::Type{T}, As) where {T<:Element} = T
@noinline function supported(::Type{T}, As) where {T}
    k = findfirst(A -> !(eltype(A) <: Union{Element,Base.BitInteger,Bool,Complex{<:Base.BitInteger}}), As)
    throw_unsupported(k === nothing ? T : eltype(As[k]), k === nothing ? "the operands together" : name(k))
end
