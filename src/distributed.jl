# Contractions over the ranks of an MPI communicator. The engine calls the MPI library that Julia has loaded; this file
# gives it the addresses and handles, and has no need of MPI.jl, whose extension only says where they are.

const MPI_FUNCTIONS = (:MPI_Initialized, :MPI_Finalized, :MPI_Query_thread, :MPI_Is_thread_main, :MPI_Comm_rank,
                       :MPI_Comm_size, :MPI_Comm_idup, :MPI_Comm_free, :MPI_Comm_set_errhandler, :MPI_Isend,
                       :MPI_Irecv, :MPI_Test, :MPI_Cancel, :MPI_Error_string)

# MPICH's handles are integers, which may look negative; others are addresses, or as large as one.
number(handle::Int32) = UInt64(reinterpret(UInt32, handle))
number(handle::Ptr) = UInt64(reinterpret(UInt, handle))

"""
    Communicator

The engine's own duplicate of an MPI communicator, made by [`communicator`](@ref). `rank` counts from 0, as MPI does.

All ranks make the same calls with it in the same order. A call ends on every rank: if one fails, dies, hangs or asks
for something else, all throw an exception within the timeout and the time that the slice takes which is being computed.
After such a failure the communicator refuses further calls; a disagreement, or an argument that is refused before the
work begins, leaves it usable.
"""
mutable struct Communicator
    handle::Ptr{Cvoid}
    rank::Int
    size::Int
    freed::Bool
    function Communicator(handle)
        rank, size = communicator_rank(handle)
        communicator = new(handle, rank, size, false)
        finalizer(c -> communicator_destroy(c.handle), communicator)
        return communicator
    end
end

Base.show(io::IO, c::Communicator) = print(io, "TensorOxide.Communicator(rank ", c.rank, " of ", c.size, ")")

"""
    TensorOxide.communicator(comm::MPI.Comm; timeout = 120)
    TensorOxide.communicator(library::Ptr; comm, byte, errors_return, any_source, thread_serialized, timeout = 120)

A [`Communicator`](@ref) for contractions over the ranks of `comm`: all of its ranks call this together, after
`MPI.Init()`. A rank that is not heard of for `timeout` seconds is taken for dead. It does not matter how long a slice
takes, since the rank answers while it computes; but all ranks have to come to a call within this time of each other.

The first form needs MPI.jl to be loaded, and gives the same communicator for the same `comm` each time, with the timeout of
the first, until it is freed. The second is
for an MPI library that something else has loaded and initialised: `library` is its handle as from `Libdl.dlopen`;
`comm`, `byte` and `errors_return` are the handles `MPI_Comm`, `MPI_BYTE` and `MPI_ERRORS_RETURN`, of type `Cint` where the
library's handles are integers (MPICH), and `Ptr{Cvoid}` otherwise (Open MPI, the standard ABI of MPI 5); `any_source`
and `thread_serialized` are the values of `MPI_ANY_SOURCE` and `MPI_THREAD_SERIALIZED`.

Throws an `ArgumentError` if MPI is not initialised, or is finalised, or this thread may not call it.
[`free`](@ref TensorOxide.free) gives the duplicate back.
"""
function communicator(library::Ptr; comm::Union{Int32,Ptr{Cvoid}}, byte, errors_return, any_source::Integer,
                      thread_serialized::Integer, timeout::Real = 120)
    functions = map(name -> Libdl.dlsym(library, name), MPI_FUNCTIONS)
    mpi = MPILibrary(sizeof(comm), number(comm), number(convert(typeof(comm), byte)),
                     number(convert(typeof(comm), errors_return)), any_source, thread_serialized, functions)
    return Communicator(communicator_create(mpi, timeout))
end
communicator(c::Communicator) = c
communicator(comm) = throw(ArgumentError(
    "comm is a $(typeof(comm)); give an `MPI.Comm` after `using MPI`, or a `TensorOxide.Communicator`"))

"""
    TensorOxide.free(communicator)

Give the engine's duplicate back to MPI. All ranks do so, before `MPI.Finalize()`; plans over it cannot be run any more.
Without this it lives as long as MPI does.
"""
function free(c::Communicator)
    communicator_free(c.handle)
    c.freed = true
    return nothing
end

"The communicator that was made for `comm` before, unless it was freed since; else a new one, by `make`, which all ranks call."
function remembered!(make, communicators, comm)
    c = get(communicators, comm, nothing)
    return c === nothing || c.freed ? (communicators[comm] = make()) : c
end

"""
    TensorOxide.Progress

How far a run over several ranks is: `done` of `slices` slices in `seconds`. `rate` is slices in a second so far, and
`remaining` the seconds that the rest will take at that rate.
"""
struct Progress
    done::Int
    slices::Int
    seconds::Float64
end
Base.getproperty(p::Progress, name::Symbol) =
    name === :rate ? p.done / p.seconds :
    name === :remaining ? (p.slices - p.done) * p.seconds / p.done : getfield(p, name)
Base.propertynames(::Progress) = (:done, :slices, :seconds, :rate, :remaining)

"What the engine tells of a run: whom to tell, and what that threw."
mutable struct Listener
    tell::Any
    thrown::Any
end

function told(context::Ptr{Cvoid}, done::UInt64, slices::UInt64, seconds::Cdouble)
    listener = unsafe_pointer_to_objref(context)::Listener
    try
        listener.tell(Progress(done, slices, seconds))
        return Int32(0)
    catch thrown
        # Nothing may be thrown through the engine's frames.
        listener.thrown = CapturedException(thrown, catch_backtrace())
        return Int32(1)
    end
end

"""
    SharedPlan{T,N,M}

A contraction of `M` operands of element type `T` into an output of rank `N` whose slices are shared out among the
ranks of a communicator: made by [`contraction_plan`](@ref) with `comm = …`, run by calling it on all ranks.

    plan(A, B, …; result = :all, progress = nothing)                              # a new array, or a number
    plan(C, A, B, …; α = true, β = false, result = :all, progress = nothing)      # C = α·contraction + β·C, returns C

Every rank gives the same operands. With `result = :all` every rank gets the result; with `result = :root` rank 0 does,
and the others get `nothing` (and give `nothing` for `C`). `progress` is a function that is called on rank 0 with a
[`TensorOxide.Progress`](@ref), about every second and at the end; what it throws ends the run on all ranks.

`plan.info` has `leaves`, in how many pieces the work is dealt out, `threads` of each rank, `slicing_overhead`, how many times
the arithmetic of the same path without slices, and in `plan.info.plan` what a [`ContractionPlan`](@ref
TensorOxide.ContractionPlan) has, such as `slices`, `flops` and `peak_bytes` (of each rank).
"""
mutable struct SharedPlan{T,N,M}
    handle::Ptr{Cvoid}
    communicator::Communicator
    expression::String
    sizes::Vector{Vector{Int}}
    output_size::Dims{N}
    info::SharedInfo
    function SharedPlan{T,N,M}(handle, communicator, expression, sizes, output_size, info) where {T,N,M}
        plan = new(handle, communicator, expression, sizes, output_size, info)
        finalizer(p -> shared_destroy(p.handle), plan)
        return plan
    end
end

function shared_plan(comm, semiring, T::Type, expression::String, sizes, conj, memory_limit, search, path, slices::Integer)
    semiring === nothing || throw(ArgumentError("contractions over a semiring are not shared out over ranks"))
    slices >= 0 || throw(ArgumentError("slices = $slices; 0 leaves their number to the engine"))
    c = communicator(comm)
    handle = with_request(T, expression, sizes, conj, memory_limit, search, path, nothing) do request
        shared_create(c.handle, request, slices)
    end
    info = shared_info(handle)
    output = Vector{Int64}(undef, info.plan.output_rank)
    shared_output_shape(handle, output)
    return SharedPlan{T,length(output),length(sizes)}(handle, c, expression, sizes, (output...,), info)
end

function (plan::SharedPlan{T,N,M})(args::Vararg{Any,K}; α::Number = true, β::Number = false, result::Symbol = :all,
                                   progress = nothing) where {T,N,M,K}
    result in (:all, :root) || throw(ArgumentError("result = $(repr(result)) is none of :all, :root"))
    here = result === :all || plan.communicator.rank == 0
    if K == M
        iszero(β) || throw(ArgumentError("β = $β asks for an output to add to, but there are only the $M operands"))
        C = here ? Array{T,N}(undef, plan.output_size) : nothing
        execute!(plan, C, args, α, β, result, progress)
        return here && N == 0 ? C[] : C
    end
    K == M + 1 || throw(ArgumentError(
        "the plan for $(repr(plan.expression)) takes $M operands, and an output before them if it is to be written in " *
        "place; it was called with $K arrays"))
    C = here ? first(args) : nothing
    execute!(plan, C, tail(args), α, β, result, progress)
    return C
end

function execute!(plan::SharedPlan{T}, C, args::Tuple, α, β, result, progress) where {T}
    all = result === :all
    refuse() = shared_run(plan.handle, C_NULL, 1, C_NULL, C_NULL, all, 1, 0, C_NULL, C_NULL)
    listener = Listener(progress, nothing)
    callback = progress === nothing ? C_NULL : @cfunction(told, Int32, (Ptr{Cvoid}, UInt64, UInt64, Cdouble))
    status = GC.@preserve plan listener with_tensors(refuse, T, C, args, α, β) do tensors, flags, output, α, β
        shared_run(plan.handle, tensors, length(args), flags, output, all, α, β, callback, pointer_from_objref(listener))
    end
    listener.thrown === nothing || throw(listener.thrown.ex)
    check(status)
    return nothing
end

"""
Call `run` with the operands, the output (or NULL, where `C` is `nothing`) and the factors as the engine takes them. If they
cannot be had, the other ranks, which wait for this one, are told by `refuse`.
"""
function with_tensors(run, refuse, T, C, args::Tuple, α, β)
    begun = false
    try
        C === nothing || check_output(T, C)
        As = Any[operand(T, args[k], k) for k in 1:length(args)]
        α, β = ComplexF64(scalar(T, α, "α")), ComplexF64(scalar(T, β, "β"))
        frame = Vector{Int64}(undef, words(As) + (C === nothing ? 0 : words(C)))
        GC.@preserve frame C As begin
            tensors = convert(Ptr{DLTensor}, pointer(frame))
            output = tensors + length(As) * sizeof(DLTensor)
            flags = convert(Ptr{UInt8}, C === nothing ? output : output + sizeof(DLTensor))
            room = place_all!(tensors, 1, flags, convert(Ptr{Int64}, flags) + 8length(As), As)
            # The ranks would have to agree on it.
            C === nothing || !first(place!(output, 1, room, C, OUTPUT)) ||
                throw(ArgumentError("the output shows complex conjugates; give the array that it is of"))
            begun = true
            return run(tensors, flags, C === nothing ? convert(Ptr{DLTensor}, C_NULL) : output, α, β)
        end
    catch
        begun || refuse()
        rethrow()
    end
end

function Base.show(io::IO, plan::SharedPlan{T}) where {T}
    sizes = join((isempty(size) ? "number" : join(size, '×') for size in plan.sizes), ", ")
    print(io, "SharedPlan{", T, "}(", repr(plan.expression), ": ", sizes, "; ", plan.communicator.size, " ranks)")
end

function Base.show(io::IO, ::MIME"text/plain", plan::SharedPlan)
    println(io, "Shared by ", plan.communicator.size, " ranks in ", plan.info.leaves, " pieces; at most ",
            plan.info.plan.peak_bytes, " bytes of workspace each. The plan of a slice:")
    print_lines(io, engine_text((buffer, len) -> shared_describe(plan.handle, buffer, len)))
end
