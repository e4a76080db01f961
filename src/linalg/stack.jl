# What all decompositions share: matrices, stacks of matrices, tensors split into rows and columns; the outputs of the
# caller, or fresh ones; and how the engine is told to run.
#
# The first two dimensions of a stack are those of its matrices; all further ones are a batch.

"""
    Workspace()

Memory that decompositions work in, kept from call to call: `workspace = w` makes a call use it, and a call of the same
kind and sizes that runs again with it takes no memory from the system. Any number of tasks may use one at once. Without
one, calls share memory of the whole process.

```jldoctest
julia> using TensorOxide

julia> w = TensorOxide.Workspace();

julia> Q, R = TensorOxide.qr_compact([3.0 0.0; 4.0 5.0]; workspace = w);

julia> R[1, 1]
5.0
```
"""
mutable struct Workspace
    handle::Ptr{Cvoid}
    function Workspace()
        handle = Ref{Ptr{Cvoid}}(C_NULL)
        workspace_create(handle)
        return finalizer(w -> workspace_destroy(w.handle), new(handle[]))
    end
end

Base.show(io::IO, ::Workspace) = print(io, "TensorOxide.Workspace()")

const Stack{T} = AbstractArray{T}
"The size of each matrix of a stack, and the sizes of the batch."
matrix_size(A) = (size(A, 1), size(A, 2))
batch_size(A) = size(A)[3:end]

# A constant, since Julia 1.5 would make the type anew in each call.
const Whole = Union{Integer,Complex{<:Integer}}

"The element type of the decomposition of `A`, which has to be a matrix or a stack of matrices."
function matrix_type(A::AbstractArray{T,N}) where {T,N}
    N >= 2 || throw(DimensionMismatch("an array of size $(size(A)) has too few dimensions for a matrix"))
    F = T <: Whole ? float(T) : T
    F <: Element && isconcretetype(F) || throw_unsupported(T, name(MATRIX))
    return F
end

"The number of rows of each matrix, which has to be square."
function check_square(A)
    size(A, 1) == size(A, 2) || throw(DimensionMismatch("the matrix of size $(matrix_size(A)) is not square"))
    return size(A, 1)
end

"""
    decompose(f, inputs, outputs; workspace, provider)

Call `f(tensors, conj, run)` with the tensors of the inputs and outputs, in this order, and whether the first input is
to be read conjugated. Inputs of integers are converted; other inputs must not be conjugated wrappers. Unless inputs are
converted, nothing is allocated.
"""
@inline function decompose(f::F, inputs::Tuple, outputs::Tuple; workspace = nothing, provider = nothing) where {F}
    tensors = (as_floats(matrix_type(first(inputs)), inputs)..., outputs...)
    run = RunOptions(handle(workspace), provider === nothing ? -1 : provider_code(provider))
    if RUN_WORDS + words(tensors) <= FRAME_WORDS
        frame = Ref{Frame}()
        GC.@preserve frame tensors workspace call(f, pointer_from_objref(frame), tensors, length(inputs), run)
    else
        larger = Vector{Int64}(undef, RUN_WORDS + words(tensors))
        GC.@preserve larger tensors workspace call(f, pointer(larger), tensors, length(inputs), run)
    end
    return outputs
end

const RUN_WORDS = sizeof(RunOptions) ÷ sizeof(Int64)
handle(::Nothing) = C_NULL
handle(workspace::Workspace) = workspace.handle

@inline as_floats(::Type, ::Tuple{}) = ()
@inline as_floats(::Type{T}, As::Tuple) where {T} = (as_floats(T, first(As)), as_floats(T, tail(As))...)
@inline as_floats(::Type{T}, A::AbstractArray{T}) where {T} = A
as_floats(::Type{T}, A::AbstractArray) where {T} = convert(Array{T,ndims(A)}, A)

# A frame holds how to run, then the tensors, then their shapes and strides.
@inline function call(f::F, frame::Ptr, all_tensors::Tuple, inputs, run::RunOptions) where {F}
    how = convert(Ptr{RunOptions}, frame)
    unsafe_store!(how, run)
    tensors = convert(Ptr{DLTensor}, how + sizeof(RunOptions))
    room = convert(Ptr{Int64}, tensors + length(all_tensors) * sizeof(DLTensor))
    conj, room = place!(tensors, 1, room, first(all_tensors), MATRIX)
    place_rest!(tensors, 2, room, tail(all_tensors), inputs)
    f(tensors, conj, how)
end

# Only the first tensor may be read conjugated. A recursion, so that the compiler knows the type of each tensor.
@inline place_rest!(tensors, k, room, ::Tuple{}, inputs) = nothing
@inline function place_rest!(tensors, k, room, As::Tuple, inputs)
    who = k <= inputs ? MATRIX : OUTPUT
    conj, room = place!(tensors, k, room, first(As), who)
    conj && throw_nonstrided(first(As), who)
    return place_rest!(tensors, k + 1, room, tail(As), inputs)
end

"""
    matricize(T, rows, columns) -> A, row sizes, column sizes

The tensor as a matrix whose rows are counted by the dimensions `rows`, the first fastest, and whose columns are counted
by `columns`. `rows` and `columns` name each dimension once.
"""
function matricize(T::AbstractArray{<:Any,N}, rows::Tuple, columns::Tuple) where {N}
    order = (rows..., columns...)
    length(order) == N && isperm(order) || throw(ArgumentError(
        "rows $rows and columns $columns have to name each of the $N dimensions once"))
    m, n = map(d -> size(T, d), rows), map(d -> size(T, d), columns)
    inorder = order == ntuple(identity, N) && T isa Array
    A = inorder ? T : einsum((ntuple(identity, N),) => order, T)
    return reshape(A, prod(m), prod(n)), m, n
end
