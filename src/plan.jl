# Contraction plans: made once per shape, run many times.

"""
    ContractionPlan{T,N,M,S}

A contraction of `M` operands of element type `T` into an output of rank `N`, prepared for one set of shapes, over
numbers (`S` is `Nothing`) or over a [`Semiring`](@ref TensorOxide.Semiring) `S`: made by
[`contraction_plan`](@ref), run by calling it. Showing it in the REPL lists its steps. Several threads may run one plan
at once.

    plan(A, B, …)                          # a new array, or a number if no label is left
    plan(C, A, B, …; α = true, β = false)  # C = α·contraction + β·C, returns C

The second form allocates nothing on Julia's heap when `C` and the operands have element type `T`. With `β = 0` the
content of `C` is never read, so it may hold `NaN`. An operand of another element type is converted first, if `T` is
what Julia promotes the two to.

The shapes have to be those that the plan was made for (`DimensionMismatch`); `C` may share no memory with an operand
and no two of its elements may be the same memory (`ArgumentError`). After an error `C` is as it was.
"""
mutable struct ContractionPlan{T,N,M,S<:Union{Nothing,Semiring}}
    handle::Ptr{Cvoid}
    expression::String
    sizes::Vector{Vector{Int}}
    output_size::Dims{N}
    info::PlanInfo
    semiring::S
    "The engine's derivatives, once they are asked for."
    gradient::Ptr{Cvoid}
    function ContractionPlan{T,N,M,S}(handle, expression, sizes, output_size, info, semiring) where {T,N,M,S}
        plan = new(handle, expression, sizes, output_size, info, semiring, C_NULL)
        finalizer(release, plan)
        return plan
    end
end

"How a path is searched."
struct PathSearch
    minimize::Int32             # C's TOX_MINIMIZE_*
    seed::UInt64
    time::Float64               # seconds; negative for the engine's choice
end
PathSearch() = PathSearch(0, 0, -1.0)

function PathSearch(minimize::Symbol, seed::Integer, time)
    code = minimize === :time ? 0 : minimize === :flops ? 1 : minimize === :size ? 2 : throw(ArgumentError(
        "minimize = $(repr(minimize)) is none of :time, :flops, :size"))
    time === nothing || time >= 0 || throw(ArgumentError("search_time = $time is no time; nothing leaves the choice open"))
    return PathSearch(code, seed % UInt64, time === nothing ? -1.0 : time)
end

function release(@nospecialize(plan::ContractionPlan))
    gradient_destroy(plan.gradient)
    plan_destroy(plan.handle)
end

"""
    contraction_plan(expression, shapes; semiring = nothing, eltype = Float64, conj = nothing, memory_limit = 0,
                     minimize = :time, seed = 0, search_time = nothing, path = nothing, comm = nothing, slices = 0,
                     split = nothing, split_output = nothing)

Prepare the contraction `expression` for operands of the given `shapes` (a tuple or vector of sizes, as from
`size.((A, B))`) and element type (`Float32`, `Float64`, `ComplexF32` or `ComplexF64`): the order of the pairwise steps,
the kernel of each, and their workspace. `conj` has one `Bool` per operand, `true` for one to be taken complex
conjugated. With a [`semiring`](@ref TensorOxide.Semiring) the plan is over that, and `eltype` one of its elements
(`Bool` and `Int64` go without saying). `memory_limit` bounds the workspace of a run in bytes: labels are sliced, that
is, looped over, until it fits; `0` sets no bound. The bound holds for any operands: a run whose strides need more (for
copies) is refused with an `ArgumentError`. Buffers that Julia's BLAS takes for itself do not count.

The order of the steps, the *contraction path*, is searched for the least of what `minimize` names:

- `:time`, an estimate of the time that counts multiplications, elements moved and steps;
- `:flops`, the multiplications;
- `:size`, the elements of the largest intermediate.

A few tensors are searched exhaustively, more by random greedy paths, exact replacement of small parts and annealing for
`search_time` seconds. These are nominal: counted in work done, not by a clock, so that the same call with the same
`seed` has the same path everywhere. With `search_time = nothing` the search takes a part of what the contraction is
estimated to take, at most about a second. `0` is for a plain greedy path. `plan.info` has `flops`, `log10_flops` and
`log2_size`, the logarithm of the elements of the largest tensor that is made.

With another `path` than `nothing` there is no search, and that one is taken:

- a list of steps as opt_einsum and NumPy write it, for instance `[(1, 2), (0, 1)]`: positions, from 0, in the list of
  the tensors that are left, to the end of which the result of each step goes;
- `form => path`, where `form` and `path` are as in [`TensorOxide.contraction_path`](@ref);
- what [`TensorOxide.load_path`](@ref) read.

With `comm`, an `MPI.Comm` (after `using MPI`) or a [`TensorOxide.communicator`](@ref), the contraction is shared out among
the ranks: see [`TensorOxide.SharedPlan`](@ref). All ranks make the plan together; `memory_limit` is for each, and there
are at least `slices` slices, or for `0` four for each thread of all ranks. With `split`, which has for each operand the
axis that it is split along over the ranks, or `nothing` if it is whole on all, and `split_output` likewise, every rank has
and gets parts only: see [`TensorOxide.SplitPlan`](@ref); `shapes` are those of the whole tensors.

A step may name any number of tensors; the order within a step of more than two is searched.

Throws an `ArgumentError` for an expression that cannot be read, an output label that no operand has, a wrong number
of shapes, an unsupported `eltype`, a `path` that does not fit, or a limit that cannot be kept; a `DimensionMismatch`
for shapes that do not fit the expression; an `OverflowError` for sizes whose product is not an `Int64`.

```jldoctest
julia> using TensorOxide

julia> plan = contraction_plan("ij,jk,kl->il", [(2, 3), (3, 4), (4, 5)]);

julia> size(plan(ones(2, 3), ones(3, 4), ones(4, 5)))
(2, 5)

julia> C = fill(NaN, 2, 5);

julia> plan(C, ones(2, 3), ones(3, 4), ones(4, 5)); C[1, 1]
12.0
```
"""
function contraction_plan(expression::AbstractString, @nospecialize(shapes);
                          semiring::Union{Nothing,Semiring} = nothing, eltype::Type = default_eltype(semiring),
                          @nospecialize(conj = nothing), memory_limit::Integer = 0, minimize::Symbol = :time,
                          seed::Integer = 0, search_time::Union{Nothing,Real} = nothing,
                          @nospecialize(path = nothing), @nospecialize(comm = nothing), slices::Integer = 0,
                          @nospecialize(split = nothing), @nospecialize(split_output = nothing))
    check_eltype(semiring, eltype, "the plan")
    memory_limit >= 0 || throw(ArgumentError("memory_limit is $memory_limit bytes; 0 sets no limit"))
    search = PathSearch(minimize, seed, search_time)
    split === nothing || comm !== nothing || throw(ArgumentError("split is for the ranks of a communicator; give comm"))
    split === nothing ||
        return split_plan(comm, semiring, eltype, String(expression), lists(shapes), conj, UInt64(memory_limit), search,
                          path, split, split_output)
    comm === nothing ||
        return shared_plan(comm, semiring, eltype, String(expression), lists(shapes), conj, UInt64(memory_limit), search,
                           path, slices)
    return plan_for(eltype, String(expression), lists(shapes), conj, UInt64(memory_limit), search, path, semiring)
end

# Nothing from here on is compiled anew for each tensor order.
lists(@nospecialize(shapes::Tuple)) = Vector{Int}[list(getfield(shapes, k)) for k in 1:nfields(shapes)]
lists(shapes) = Vector{Int}[list(shape) for shape in shapes]
list(@nospecialize(shape::Tuple)) = Int[getfield(shape, k) for k in 1:nfields(shape)]
list(shape) = Int[n for n in shape]

function plan_for(T::DataType, expression::String, sizes::Vector{Vector{Int}}, @nospecialize(conj),
                  memory_limit::UInt64, search::PathSearch = PathSearch(), @nospecialize(path = nothing),
                  semiring::Union{Nothing,Semiring} = nothing)
    handle = Ref(C_NULL)
    with_request(request -> plan_create(request, handle), T, expression, sizes, conj, memory_limit, search, path, semiring)
    info = Ref(PlanInfo())
    plan_info(handle[], info)
    output = Vector{Int64}(undef, info[].output_rank)
    plan_output_shape(handle[], output)
    made = ContractionPlan{T,length(output),length(sizes),typeof(semiring)}
    return made(handle[], expression, sizes, (output...,), info[], semiring)
end

"Call `f` with what the engine is asked to plan, whose pointers are valid for that long."
function with_request(f, T::DataType, expression::String, sizes::Vector{Vector{Int}}, @nospecialize(conj),
                      memory_limit::UInt64, search::PathSearch, @nospecialize(path), semiring)
    flags = zeros(UInt8, length(sizes))
    if conj !== nothing
        length(conj)::Int == length(sizes) || throw(ArgumentError(
            "conj has $(length(conj)) entries for $(length(sizes)) operands"))
        for (k, flag) in enumerate(conj)
            flags[k] = flag::Bool
        end
    end
    '\0' in expression && throw(ArgumentError("the expression $(repr(expression)) contains a NUL character"))
    ranks = Int32[length(size) for size in sizes]
    extents = Int64[]
    foreach(size -> append!(extents, size), sizes)
    form, steps = path === nothing ? (Int32(0), "") : path_text(path)
    GC.@preserve expression ranks extents flags steps begin
        request = PlanRequest(pointer(expression), length(sizes), pointer(ranks), pointer(extents), pointer(flags),
                              code(semiring), dltype(T)::DLDataType, memory_limit,
                              path === nothing ? C_NULL : pointer(steps), form,
                              search.minimize, search.seed, search.time)
        return f(request)
    end
end

@inline (plan::ContractionPlan{T,N,M})(args::Vararg{Any,K}; α::Number = true, β::Number = false) where {T,N,M,K} =
    call(plan, args, α, β, Val(K - M))

# As many arguments as operands: the output is ours to make.
@inline function call(plan::ContractionPlan{T,N,M}, As, α, β, ::Val{0}) where {T,N,M}
    iszero(β) || throw(ArgumentError("β = $β asks for an output to add to, but there are only the $M operands"))
    return into_new(plan, prepare(T, As), first(factors(plan.semiring, T, α, β)))
end

function into_new(plan::ContractionPlan{T,N}, As, α = ComplexF64(1)) where {T,N}
    C = empty_output(plan)
    execute!(plan, C, As, α, ComplexF64(0))
    return N == 0 ? C[] : C
end

empty_output(plan::ContractionPlan{T,N}) where {T,N} = Array{T,N}(undef, plan.output_size)

@inline function call(plan::ContractionPlan{T}, args, α, β, ::Val{1}) where {T}
    C = first(args)
    check_output(T, C)
    execute!(plan, C, prepare(T, tail(args)), factors(plan.semiring, T, α, β)...)
    return C
end

@noinline call(plan::ContractionPlan{T,N,M}, args, α, β, ::Val) where {T,N,M} = throw(ArgumentError(
    "the plan for $(repr(plan.expression)) takes $M operands, and an output before them if it is to be written in " *
    "place; it was called with $(length(args)) arrays"))

"""
    execute!(plan, C, As, α, β)

Run `plan`: what every contraction comes down to. A lazily conjugated output is written through its conjugated equation.
"""
@inline function execute!(plan::ContractionPlan, C::AbstractArray, As::Tuple, α::ComplexF64, β::ComplexF64)
    words(C) + words(As) <= FRAME_WORDS || return execute!(plan, C, Any[As...], α, β)
    frame = Ref{Frame}()
    GC.@preserve plan frame C As run!(plan.handle, pointer_from_objref(frame), C, As, length(As), α, β)
    return nothing
end

function execute!(plan::ContractionPlan, C::AbstractArray, As::Vector{Any}, α::ComplexF64, β::ComplexF64)
    frame = Vector{Int64}(undef, words(C) + words(As))
    GC.@preserve plan frame C As run!(plan.handle, pointer(frame), C, As, length(As), α, β)
    return nothing
end

@inline function run!(handle, frame::Ptr, C, As, count, α, β)
    tensors = convert(Ptr{DLTensor}, frame)
    output = tensors + count * sizeof(DLTensor)
    flags = convert(Ptr{UInt8}, output + sizeof(DLTensor))
    room = convert(Ptr{Int64}, flags) + 8count      # a word where a byte would do keeps what follows aligned
    room = place_all!(tensors, 1, flags, room, As)
    flip, _ = place!(output, 1, room, C, OUTPUT)
    run_flipped!(handle, tensors, count, flags, output, flip, α, β)
end

# A conjugated output is written as the conjugate of everything else.
function run_flipped!(handle, tensors, count, flags, output, flip, α, β)
    if flip
        for k in 1:count
            unsafe_store!(flags, unsafe_load(flags, k) ⊻ 0x01, k)
        end
        α, β = conj(α), conj(β)
    end
    plan_run(handle, tensors, count, flags, output, α, β)
end

"Operands as the engine takes them: arrays of element type `T`, the given ones where they are."
@inline prepare(::Type{T}, As::NTuple{M,Any}) where {T,M} =
    M <= FEW ? prepare(T, As, 1) : Any[operand(T, As[k], k) for k in 1:M]
@inline prepare(::Type, ::Tuple{}, k) = ()
@inline prepare(::Type{T}, As::Tuple, k) where {T} = (operand(T, first(As), k), prepare(T, tail(As), k + 1)...)

@inline operand(::Type{T}, A::AbstractArray, k) where {T} = eltype(A) === T ? A : converted(T, A, k)
@inline operand(::Type{T}, x::Number, k) where {T} = converted(T, fill(x), k)
@inline operand(::Type{Bool}, A::BitArray, k) = Array(A)        # its elements are bits
operand(::Type, A, k) = throw(ArgumentError("operand $k is a $(typeof(A)), neither an array nor a number"))

function converted(::Type{T}, A::AbstractArray{S,N}, k) where {T,S,N}
    S <: Number || throw_unsupported(S, name(k))
    promote_type(S, T) === T || throw(ArgumentError(
        "operand $k has elements of type $S, which Julia does not promote to $T, the type to compute with; convert it"))
    return copyto!(Array{T,N}(undef, size(A)), A)
end

@inline check_output(::Type{T}, C::AbstractArray{T}) where {T} = nothing
@noinline check_output(::Type{T}, C) where {T} = throw(ArgumentError(
    "the output is a $(typeof(C)); the contraction needs an array with elements of type $T"))

@inline scalar(::Type{T}, x::Number, what) where {T} =
    T <: Complex || isreal(x) ? ComplexF64(x) : throw_complex(T, x, what)
@noinline throw_complex(T, x, what) = throw(ArgumentError("$what = $x is not real, but the output's elements are $T"))

@noinline throw_unsupported(T, what) = throw(ArgumentError(
    "$what has elements of type $T; the engine computes with Float32, Float64, ComplexF32 and ComplexF64, so convert " *
    "to one of them"))

function Base.show(io::IO, plan::ContractionPlan{T}) where {T}
    sizes = join((isempty(size) ? "number" : join(size, '×') for size in plan.sizes), ", ")
    over = plan.semiring === nothing ? "" : string(" over ", nameof(typeof(plan.semiring)))
    print(io, "ContractionPlan{", T, "}(", repr(plan.expression), over, ": ", sizes, ")")
end

function Base.show(io::IO, ::MIME"text/plain", plan::ContractionPlan)
    len = Ref{Csize_t}(0)
    buffer = UInt8[]
    plan_describe(plan.handle, buffer, len)
    resize!(buffer, len[] + 1)
    plan_describe(plan.handle, buffer, len)
    print_lines(io, String(resize!(buffer, len[])))
end

"A text of many lines, shortened where the terminal has fewer."
function print_lines(io::IO, text)
    lines = split(rstrip(text), '\n')
    room = max(displaysize(io)[1] - 4, 10)
    if get(io, :limit, false)::Bool && length(lines) > room
        head = room ÷ 2
        tail = room - head - 1
        lines = [lines[1:head]; "  ⋮ ($(length(lines) - head - tail) lines)"; lines[end-tail+1:end]]
    end
    join(io, lines, '\n')
end
