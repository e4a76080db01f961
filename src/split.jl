# Tensors that are split over the ranks of a communicator along an index: their contraction, and Lanczos' method for a
# map that is made of it. No rank ever has a whole one.

"""
    TensorOxide.local_range(comm, n; rank = …)

The values, from 1, that a rank (this one, if no other is named) has of an index with `n` of them which tensors are
split along.
"""
function local_range(comm, n::Integer; rank::Integer = communicator(comm).rank)
    size = communicator(comm).size
    return n * rank ÷ size + 1:n * (rank + 1) ÷ size
end

"""
    SplitPlan{T,N,M}

A contraction of `M` tensors of element type `T`, each split along an index over the ranks of a communicator or whole on
all of them, into an output of rank `N` that is split likewise: made by [`contraction_plan`](@ref) with `comm` and
`split`, run by calling it on all ranks with the parts that each has.

    plan(A, B, …)                          # this rank's part of the result, or a number
    plan(C, A, B, …; α = true, β = false)  # C = α·contraction + β·C, returns C

`plan.info` has `peak_bytes`, what this rank takes at most beside its parts of the operands and the output, `sent_bytes`
and `multiplications`, of this rank in a run.
"""
mutable struct SplitPlan{T,N,M}
    handle::Ptr{Cvoid}
    communicator::Communicator
    expression::String
    sizes::Vector{Vector{Int}}
    "The sizes of this rank's parts, that of the output last."
    local_sizes::Vector{Vector{Int}}
    info::SplitInfo
    function SplitPlan{T,N,M}(handle, communicator, expression, sizes, local_sizes, info) where {T,N,M}
        plan = new(handle, communicator, expression, sizes, local_sizes, info)
        finalizer(p -> split_destroy(p.handle), plan)
        return plan
    end
end

function split_plan(comm, semiring, T::Type, expression::String, sizes, conj, memory_limit, search, path, split, into)
    length(split) == length(sizes) || throw(ArgumentError(
        "split has $(length(split)) entries for $(length(sizes)) operands"))
    c = communicator(comm)
    axes = Int32[axis === nothing ? -1 : axis - 1 for axis in (split..., into)]
    all(axis -> axis === nothing || axis >= 1, (split..., into)) || throw(ArgumentError("axes count from 1"))
    handle = with_request(T, expression, sizes, conj, memory_limit, search, path, semiring) do request
        split_create(c.handle, request, axes)
    end
    shape(tensor) = (extents = zeros(Int64, split_shape(handle, tensor, Int64[])); split_shape(handle, tensor, extents); extents)
    local_sizes = [shape(tensor) for tensor in 0:length(sizes)]
    return SplitPlan{T,length(last(local_sizes)),length(sizes)}(handle, c, expression, sizes, local_sizes, split_info(handle))
end

function (plan::SplitPlan{T,N,M})(args::Vararg{Any,K}; α::Number = true, β::Number = false) where {T,N,M,K}
    if K == M
        iszero(β) || throw(ArgumentError("β = $β asks for an output to add to, but there are only the $M operands"))
        C = Array{T,N}(undef, (last(plan.local_sizes)...,))
        execute!(plan, C, args, α, β)
        return N == 0 ? C[] : C
    end
    K == M + 1 || throw(ArgumentError("the plan takes $M operands, and an output before them if it is to be written in " *
                                      "place; it was called with $K arrays"))
    execute!(plan, first(args), tail(args), α, β)
    return first(args)
end

function execute!(plan::SplitPlan{T}, C, args::Tuple, α, β) where {T}
    refuse() = split_run(plan.handle, C_NULL, 1, C_NULL, C_NULL, 1, 0)
    status = GC.@preserve plan with_tensors(refuse, T, C, args, α, β) do tensors, flags, output, α, β
        split_run(plan.handle, tensors, length(args), flags, output, α, β)
    end
    check(status)
    return nothing
end

function Base.show(io::IO, plan::SplitPlan{T}) where {T}
    sizes = join((isempty(size) ? "number" : join(size, '×') for size in plan.sizes), ", ")
    print(io, "SplitPlan{", T, "}(", repr(plan.expression), ": ", sizes, "; ", plan.communicator.size, " ranks)")
end

"""
    TensorOxide.allsum!(comm, A)

Add up what the ranks have in the dense array `A`, in the order of the ranks, and give the sum to all: the same bits. All
ranks make this call together.
"""
function allsum!(comm, A::DenseArray{T}) where {T<:Element}
    frame = Vector{Int64}(undef, words(A))
    GC.@preserve frame A begin
        tensors = convert(Ptr{DLTensor}, pointer(frame))
        place!(tensors, 1, convert(Ptr{Int64}, tensors + sizeof(DLTensor)), A, 1)
        communicator_sum(communicator(comm).handle, tensors)
    end
    return A
end

"""
    TensorOxide.split_eigsolve(f, x, comm; krylovdim = 20, maxiter = 100, tol = 1e-10) -> λ, x, info

The smallest eigenvalue of a Hermitian map and its vector, which is split over the ranks: `f(x)` takes this rank's part
of a vector and returns its part of the image, and `x` is this rank's part of the start. All ranks make this call
together; each gets the same bits of `λ` and its part of the eigenvector, whose norm is 1.

Lanczos' method with full orthogonalisation, done twice (Parlett, The Symmetric Eigenvalue Problem, section 6.9),
begun anew from the Ritz vector after `krylovdim` steps, at most `maxiter` times, until the residual ‖f(x) − λx‖ is at
most `tol`. `info` has `converged`, `numops`, how often the map was applied, and `normres`, the residual. Each step takes
three sums over the ranks of at most `krylovdim` numbers.
"""
function split_eigsolve(f, x::AbstractArray{T,N}, comm; krylovdim::Integer = 20, maxiter::Integer = 100,
                        tol::Real = 1e-10) where {T<:Element,N}
    krylovdim >= 1 && maxiter >= 1 || throw(ArgumentError("krylovdim and maxiter are at least 1"))
    c = communicator(comm)
    dots(Vs, w) = allsum!(c, T[LinearAlgebra.dot(v, w) for v in Vs])
    norm(w) = sqrt(real(only(allsum!(c, T[real(LinearAlgebra.dot(w, w))]))))
    n = norm(x)
    n > 0 || throw(ArgumentError("the start vector is 0"))
    x = Array{T,N}(x ./ n)
    numops = 0
    for iteration in 1:maxiter
        V = [x]
        diagonal, beside = real(T)[], real(T)[]
        while true
            w = convert(Array{T,N}, f(last(V)))
            numops += 1
            push!(diagonal, 0)
            for _ in 1:2
                overlaps = dots(V, w)
                diagonal[end] += real(last(overlaps))
                foreach((v, h) -> w .-= h .* v, V, overlaps)
            end
            residue = norm(w)
            values, vectors = LinearAlgebra.eigen(LinearAlgebra.SymTridiagonal(diagonal, beside))
            λ, s = values[1], vectors[:, 1]
            normres = residue * abs(s[end])
            # Below this the residual is rounding.
            smallest = max(tol, 10eps(real(T)) * maximum(abs, values))
            converged = normres <= smallest
            if converged || length(V) == krylovdim
                x = sum(s .* V)
                x ./= norm(x)
                (converged || iteration == maxiter) &&
                    return λ, x, (converged = converged, numops = numops, normres = normres)
                break
            end
            push!(beside, residue)
            push!(V, w ./= residue)
        end
    end
end
