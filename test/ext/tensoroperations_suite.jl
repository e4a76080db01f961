# TensorOperations' own tests, read from its own folder, with our backend wherever they name one of its backends for
# arrays, and our allocator for `ManualAllocator`. Run it in an environment that has what those files load,
#
#     julia --project=ENV test/ext/tensoroperations_suite.jl [tensoropt] [auxiliary] [macro_kwargs] [methods] [tensor] …
#
# in a process of its own: here, and nowhere else, our backend is also the one that TensorOperations chooses by itself,
# so that what names none is computed by us, too.
using TensorOperations, TensorOxide, LinearAlgebra, Random, Test
using TensorOperations: StridedNative, StridedView, StridedViewOrDiagonal

const FOLDER = joinpath(pkgdir(TensorOperations), "test")
const FILES = ["tensoropt", "auxiliary", "macro_kwargs", "methods", "tensor", "allocator", "ad"]

const CHOSEN = Threads.Atomic{Int}(0)
function choose(tensors...)
    all(A -> eltype(A) <: TensorOxide.Element, tensors) || return StridedNative()
    Threads.atomic_add!(CHOSEN, 1)
    return TensorOxideBackend()
end
for f in (tensoradd!, tensortrace!)
    @eval TensorOperations.select_backend(::typeof($f), C::StridedView, A::StridedView) = choose(C, A)
end
for T in (StridedView, StridedViewOrDiagonal)
    @eval TensorOperations.select_backend(::typeof(tensorcontract!), C::$T, A::$T, B::$T) = choose(C, A, B)
end

"An expression with ours in the place of theirs; a list of their backends becomes one of ours."
ours(x) = x
function ours(x::Expr)
    is_backend(x) && return :(TensorOxideBackend())
    x.head === :tuple && !isempty(x.args) && all(is_backend, x.args) && return :((TensorOxideBackend(),))
    is_call(x, :ManualAllocator) && return :(TensorOxideAllocator())
    # `ncon` lays its temporaries out in another order than `@tensor`, and the engine's last bits depend on the order.
    x.head === :call && x.args[1] === :(==) && any(is_ncon, x.args) &&
        return Expr(:call, :≈, map(ours, x.args[2:end])...)
    # What they do for a backend that has only the element types of BLAS.
    x.head === :call && x.args[1] === :isa && x.args[3] === :StridedBLAS &&
        return :($(x.args[2]) isa typeof(TensorOxideBackend()))
    return Expr(x.head, map(ours, x.args)...)
end
is_backend(x) = is_call(x, :StridedNative, :StridedBLAS, :BaseView, :BaseCopy)
is_ncon(x) = x isa Expr && x.head === :macrocall && x.args[1] === Symbol("@ncon")
is_call(x, names...) = x isa Expr && x.head === :call && length(x.args) == 1 && x.args[1] in names

# Of the file that includes the others: what they share.
shared(x) = x isa Expr && (x.head in (:using, :function) || x.head === :(=) && is_signature(x.args[1])) ? x : nothing
is_signature(x) = x isa Expr && x.head in (:call, :where)

"What can be run without the packages that some tests load, and this environment may lack."
const MISSING = filter(p -> Base.identify_package(p) === nothing, ["JLArrays", "ChainRulesTestUtils"])
const TRACES = Dict("JLArrays" => r"JLArray|JLBuffer", "ChainRulesTestUtils" => r"test_rrule|ChainRulesTestUtils")
function possible(x)
    for package in MISSING
        occursin(TRACES[package], string(x)) || continue
        println("left out, without $package: ", first(split(string(x), '\n'; limit = 2)))
        return nothing
    end
    return x
end

@testset "TensorOperations $(pkgversion(TensorOperations))" verbose = true begin
    include(shared, joinpath(FOLDER, "runtests.jl"))
    Random.seed!(1234567)
    for file in (isempty(ARGS) ? FILES : ARGS)
        @testset "$file" verbose = true begin
            before = CHOSEN[]
            include(ours ∘ possible, joinpath(FOLDER, "$file.jl"))
            println("$file: our backend was named, and chosen by itself $(CHOSEN[] - before) times")
        end
    end
end
