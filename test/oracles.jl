# Derivatives against PyTorch's, record by record of the public database tensor-ad-oracles (test/oracles/README.md): jvp, vjp
# and Hessian-vector product of each operation, composed with observables that have one value whatever the gauge.
using TensorOxide, Test, LinearAlgebra
const TO = TensorOxide
isdefined(@__MODULE__, :parse_json) || include("../benchmark/json.jl")

# Stacks of matrices: the batch comes last here, and first in the records.
mul(A, B) = einsum("ij...,jk...->ik...", A, B)
adj(A) = conj(permutedims(A, (2, 1, 3:ndims(A)...)))
hermitian(A) = A .+ adj(A)   # what the records differentiate, without the half
matrices(f, As...) = map(f, (map(k -> A[:, :, k], CartesianIndices(axes(A)[3:end])) for A in As)...)
diagonal_signs(A) = map(A -> sign.(real.(diag(LinearAlgebra.qr(A).R))), matrices(identity, A))

"An array of a record."
function record_array(x)
    number(v) = v isa AbstractVector ? complex(Float64(v[1]), Float64(v[2])) : Float64(v)
    T = x["dtype"] == "complex128" ? ComplexF64 : Float64
    return reshape(T[number(v) for v in x["data"]], reverse(Int.(x["shape"]))...)
end
as_matrix(A) = permutedims(A, (2, 1, 3:ndims(A)...))

"""
How an operation is observed: the function of ours with its options; which of the record's inputs and outputs are
matrices; a linear function of the inputs that is its own adjoint; and the observables of arguments and results, with the
cotangents of results and of arguments that follow from theirs.
"""
struct Observed
    f::Any
    options::NamedTuple
    matrices::Tuple
    prepare::Function
    observe::Function
    pull::Function
end
Observed(f, matrices, observe, pull; prepare = identity, options...) =
    Observed(f, values(options), matrices, prepare, observe, pull)
"One result, observed as it is."
plainly(f; matrix = true, options...) =
    Observed(f, matrix ? ("a", "b", "value") : ("a",), (x, y) -> Dict("value" => y),
             (x, y, c) -> (c["value"], nothing); options...)

modulus_pull(u, c) = c .* u ./ abs.(u)

function observed(record, x)
    op, observable = record["op"], record["observable"]
    op == "cholesky" && return Observed(TO.cholesky, ("a", "value"), (x, L) -> Dict("value" => adj(L)),
                                        (x, L, c) -> (adj(c["value"]), nothing); prepare = hermitian)
    op == "det" && return plainly(TO.det; matrix = false)
    op == "slogdet" && return Observed(TO.logabsdet, ("a",), (x, y) -> Dict("output_0" => y[2], "output_1" => y[1]),
                                       (x, y, c) -> ((c["output_1"], c["output_0"]), nothing))
    op == "inv" && return plainly(TO.inv)
    op == "pinv" && return plainly(TO.pinv; given(record, "rtol")...)
    op == "matrix_exp" && return plainly(TO.expm)
    op == "solve" && return plainly(TO.solve; matrix = ndims(x[1]) == ndims(x[2]))
    op == "svdvals" && return plainly(TO.svd_vals; matrix = false)
    op == "eigvalsh" && return plainly(TO.eigh_vals; matrix = false, prepare = hermitian)
    op == "eigh" && return Observed(TO.eigh_full, ("a", "vectors"),
        (x, (w, V)) -> Dict("values" => w, "vectors" => abs.(V)),
        (x, (w, V), c) -> ((c["values"], modulus_pull(V, c["vectors"])), nothing); prepare = hermitian)
    op == "svd" && return observed_svd(observable)
    op == "lu" && return Observed(TO.lu, ("a", "output_1", "output_2"),
        (x, (L, U, p)) -> Dict("output_1" => L, "output_2" => U),
        (x, y, c) -> ((c["output_1"], c["output_2"], nothing), nothing))
    op == "qr" && return observed_qr(x[1])
    op in ("eig", "eigvals") && return observed_eig(op, x[1])
    op == "multi_dot" && return plainly(contraction_plan(length(x) == 2 ? "ab,bc->ac" : "ab,bc,cd->ad", size.(x);
                                                         eltype = eltype(x[1])))
    op == "lstsq_grad_oriented" && return Observed(TO.lstsq, ("a", "b", "output_0"), observe_lstsq, pull_lstsq)
    error("no operation of the records is called $op")
end
given(record, option) = record["kwargs"][option] === nothing ? NamedTuple() : (rtol = record["kwargs"][option],)

function observed_svd(observable)
    outputs = Dict("svd_s" => (x, (U, S, V)) -> Dict("s" => S),
                   "svd_u_abs" => (x, (U, S, V)) -> Dict("u" => abs.(U)),
                   "svd_vh_abs" => (x, (U, S, V)) -> Dict("s" => S, "vh" => abs.(V)),
                   "svd_uvh_product" => (x, (U, S, V)) -> Dict("s" => S, "uvh" => mul(U, V)))
    pulls = Dict("svd_s" => (x, y, c) -> (nothing, c["s"], nothing),
                 "svd_u_abs" => (x, (U, S, V), c) -> (modulus_pull(U, c["u"]), nothing, nothing),
                 "svd_vh_abs" => (x, (U, S, V), c) -> (nothing, c["s"], modulus_pull(V, c["vh"])),
                 "svd_uvh_product" => (x, (U, S, V), c) -> (mul(c["uvh"], adj(V)), c["s"], mul(adj(U), c["uvh"])))
    pull = pulls[observable]
    return Observed(TO.svd_compact, ("a", "u", "vh", "uvh"), outputs[observable], (x, y, c) -> (pull(x, y, c), nothing))
end

# LAPACK's R has a real diagonal of any sign.
function observed_qr(A)
    k = min(size(A, 1), size(A, 2))
    signs = reshape(reduce(hcat, vec(diagonal_signs(A))), k, size(A)[3:end]...)
    rows, columns = reshape(signs, k, 1, size(A)[3:end]...), reshape(signs, 1, k, size(A)[3:end]...)
    return Observed(TO.qr_compact, ("a", "output_0", "output_1"),
                    (x, (Q, R)) -> Dict("output_0" => Q .* columns, "output_1" => rows .* R),
                    (x, y, c) -> ((c["output_0"] .* columns, rows .* c["output_1"]), nothing))
end

# LAPACK's eigenvalues come in another order.
function observed_eig(op, A)
    batch = CartesianIndices(axes(A)[3:end])
    orders = map(batch) do k
        w = TO.eig_vals(A[:, :, k])
        map(λ -> argmin(abs.(w .- λ)), LAPACK.geev!('N', 'N', copy(A[:, :, k])) |> lapack_values)
    end
    pick(x) = (y = copy(x); foreach(k -> y[:, k] .= x[orders[k], k], batch); y)
    pick_columns(x) = (y = copy(x); foreach(k -> y[:, :, k] .= x[:, orders[k], k], batch); y)
    put(x) = (y = copy(x); foreach(k -> y[orders[k], k] .= x[:, k], batch); y)
    put_columns(x) = (y = copy(x); foreach(k -> y[:, orders[k], k] .= x[:, :, k], batch); y)
    op == "eigvals" && return Observed(TO.eig_vals, ("a",), (x, w) -> Dict("value" => pick(w)),
                                       (x, w, c) -> (put(c["value"]), nothing))
    return Observed(TO.eig_full, ("a", "vectors"),
        (x, (w, V)) -> Dict("values" => pick(w), "vectors" => pick_columns(abs.(V))),
        (x, (w, V), c) -> ((put(c["values"]), modulus_pull(V, put_columns(c["vectors"]))), nothing))
end
lapack_values((w, _, _)::Tuple{Any,Any,Any}) = w
lapack_values((re, im, _, _)::Tuple{Any,Any,Any,Any}) = complex.(re, im)

observe_lstsq((A, B), (X, rank)) =
    Dict("output_0" => X, "output_1" => dropdims(sum(abs2, mul(A, X) .- B; dims = 1); dims = 1))
function pull_lstsq((A, B), (X, rank), c)
    isempty(c["output_1"]) && return (c["output_0"], nothing), nothing
    R̄ = 2 .* (mul(A, X) .- B) .* reshape(c["output_1"], 1, size(c["output_1"])...)
    return (c["output_0"] .+ mul(adj(A), R̄), nothing), (mul(R̄, adj(X)), -R̄)
end

# Sums of what may be missing, numbers and arrays alike.
combine(a, x, b, ::Nothing) = a * x
combine(a, ::Nothing, b, y) = b * y
combine(::Any, ::Nothing, ::Any, ::Nothing) = nothing
combine(a, x::Tuple, b, y::Tuple) = map((x, y) -> combine(a, x, b, y), x, y)
combine(a, x::Tuple, b, ::Nothing) = map(x -> x === nothing ? nothing : a * x, x)
combine(a, x::AbstractDict, b, y::AbstractDict) = Dict(k => combine(a, x[k], b, y[k]) for k in keys(x))
combine(a, x::AbstractArray{<:Integer}, b, ::Nothing) = x
combine(a, x, b, y) = a * x + b * y
"The derivative of `f(x, y)` along `(dx, dy)`, by central differences."
function difference(f, x, y, dx, dy; h = 1e-5)
    at(h) = f(combine(1, x, h, dx), combine(1, y, h, dy))
    return combine(1 / 2h, at(h), -1 / 2h, at(-h))
end

near_record(x, ref, tolerance) = norm(x .- ref) <= tolerance * max(1, norm(ref))

function check_record(record)
    names = sort(collect(keys(record["inputs"])))
    raw(set) = Tuple(record_input(set[k], k, set) for k in names)
    x = raw(record["inputs"])
    how = observed(record, x)
    f, options = how.f, how.options
    output(set) = Dict(k => (k in how.matrices ? as_output(v) : record_array(v)) for (k, v) in set)
    prepare(x) = (how.prepare(x[1]), Base.tail(x)...)
    arguments = prepare(x)
    y = f(arguments...; options...)
    for probe in record["probes"]
        dx, c = prepare(raw(probe["direction"])), output(probe["cotangent"])
        dy = TO.pushforward(f, arguments, y, dx)
        tangent = difference(how.observe, arguments, y, dx, dy)
        @test all(isempty(ref) || near_record(tangent[k], ref, 1e-7) for (k, ref) in output(probe["jvp"]))
        ȳ, direct = how.pull(arguments, y, c)
        x̄ = prepare(combine(1, TO.pullback(f, arguments, y, ȳ), 1, direct))
        @test all(near_record(x̄[k], ref, 1e-7) for (k, ref) in enumerate(raw(probe["vjp"])))
        dȳ, ddirect = difference((x, y) -> how.pull(x, y, c), arguments, y, dx, dy)
        dx̄ = prepare(combine(1, TO.pullback_pushforward(f, arguments, y, ȳ, dx, dȳ), 1, ddirect))
        @test all(near_record(dx̄[k], ref, 1e-5) for (k, ref) in enumerate(raw(probe["hvp"])))
    end
end
"The loss |Σ(U + Vᴴ)|, or |ΣV|, depends on phases that PyTorch does not fix."
function check_refused(record)
    A = as_matrix(record_array(record["inputs"]["a"]))
    f, A = record["op"] == "svd" ? (TO.svd_compact, A) : (TO.eigh_full, hermitian(A))
    y = f(A)
    phase = sign(sum(Y -> Y isa AbstractMatrix ? sum(Y) : 0, y))
    ȳ = map(Y -> Y isa AbstractMatrix ? fill(phase, size(Y)) : nothing, y)
    @test_throws ArgumentError TO.pullback(f, (A,), y, ȳ; phases = :free)
    @test all(isfinite, TO.pullback(f, (A,), y, ȳ; phases = :free, on_gauge = :ignore)[1])
    @test all(isfinite, TO.pullback(f, (A,), y, ȳ)[1])
end
"An input: right-hand sides with an axis less are vectors."
function record_input(x, name, set)
    A = record_array(x)
    is_vector = name == "b" && length(x["shape"]) < length(set["a"]["shape"])
    return is_vector ? A : as_matrix(A)
end
as_output(x) = (A = record_array(x); ndims(A) >= 2 ? as_matrix(A) : A)

for file in filter(endswith(".jsonl"), readdir(joinpath(@__DIR__, "oracles")))
    isempty(get(ENV, "ORACLES", "")) || occursin(ENV["ORACLES"], file) || continue
    @testset "$file" begin
        for line in eachline(joinpath(@__DIR__, "oracles", file))
            record = parse_json(line)
            record["expected"] == "success" ? check_record(record) : check_refused(record)
        end
    end
end
