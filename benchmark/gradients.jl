# Value and gradient of a loss through a decomposition, a solve or a network, beside PyTorch. All losses have one value
# whatever the gauge, and the gradients are compared.

function gradients(peers, threads)
    peers = filter(peer -> peer.name == "torch", peers)
    heading("Value and gradient, threads = $threads", ["PyTorch/us", "us, µs", "PyTorch", "gradient/value"])
    ratios, parts = Pair{String,Float64}[], Pair{String,Float64}[]
    for T in (Float64, ComplexF64), loss in LOSSES, n in loss.sizes
        label = "$(loss.name) $n, $T"
        is_chosen(label) || continue
        operands = loss.operands(T, n)
        here = [least -> seconds_per_call(loss.gradient, least, operands...),
                least -> seconds_per_call(loss.value, least, operands...)]
        C = first(loss.gradient(operands...))
        (both, value), theirs = with_file([operands...]) do file
            load(peer) = ask(peer, "gradient", TASK, loss.name, ELTYPES[T],
                             join((join(size(A), 'x') for A in operands), ';'), file)
            compare(load, peers, here, C; least = 0.004, budget = 1.0)
        end
        ratio = best(theirs) / both
        row(label, [ratio; microseconds([both; theirs]); (both - value) / value])
        push!(ratios, label => ratio)
        loss.name == "mps" && push!(parts, label => 3value / (both - value))
    end
    verdict(ratios; least = 1 / 0.7)
    println("gradient of einsum at most 3 values:")
    verdict(parts; least = 1.0)
end

# `gradient` returns a tuple, the gradient of the first operand first.
struct Loss
    name::String
    sizes::Tuple
    operands::Function
    value::Function
    gradient::Function
end

function svd_value(A, C)
    U, S, Vᴴ = TensorOxide.svd_compact(A)
    return real(dot(C, U * Vᴴ)) + sum(S)
end
function svd_gradient(A, C)
    U, S, Vᴴ = USVᴴ = TensorOxide.svd_compact(A)
    value = real(dot(C, U * Vᴴ)) + sum(S)
    return (TensorOxide.pullback(TensorOxide.svd_compact, (A,), USVᴴ, (C * Vᴴ', fill!(similar(S), 1), U' * C))..., value)
end

function qr_value(A, C, D)
    Q, R = TensorOxide.qr_compact(A)
    return sum(real.(C) .* abs2.(Q)) + sum(real.(D) .* abs2.(R))
end
function qr_gradient(A, C, D)
    Q, R = QR = TensorOxide.qr_compact(A)
    value = sum(real.(C) .* abs2.(Q)) + sum(real.(D) .* abs2.(R))
    return (TensorOxide.pullback(TensorOxide.qr_compact, (A,), QR, (2 .* real.(C) .* Q, 2 .* real.(D) .* R))..., value)
end

function eigh_value(A, C)
    w, V = TensorOxide.eigh_full(A)
    return sum(real.(C) .* abs2.(V)) + sum(w)
end
function eigh_gradient(A, C)
    w, V = wV = TensorOxide.eigh_full(A)
    value = sum(real.(C) .* abs2.(V)) + sum(w)
    return (TensorOxide.pullback(TensorOxide.eigh_full, (A,), wV, (fill!(similar(w), 1), 2 .* real.(C) .* V))..., value)
end

solve_value(A, b, c) = real(dot(c, TensorOxide.solve(A, b)))
function solve_gradient(A, b, c)
    x = TensorOxide.solve(A, b)
    return (TensorOxide.pullback(TensorOxide.solve, (A, b), x, c)..., real(dot(c, x)))
end

# The squared norm of an open chain, from left to right; every tensor stands in it twice.
function norm_plan(As)
    N = length(As)
    bond(k, layer) = 3k + layer
    ket = [[bond(k - 1, 0), 3k + 2, bond(k, 0)] for k in 1:N]
    bra = [[bond(k - 1, 1), 3k + 2, bond(k, 1)] for k in 1:N]
    expression = TensorOxide.text([ket; bra] => Int[])
    # Positions in the shrinking list of operands, opt_einsum's form: the environment comes last.
    path = [(0, N); [step for k in 1:N-1 for step in ((0, 2N - 2k), (N - k - 1, 2N - 2k - 1))]]
    return contraction_plan(expression, size.([As; As]); eltype = eltype(As[1]), conj = [k > N for k in 1:2N], path = path)
end
const NORM_PLANS = Dict{Any,Any}()
norm_of(As) = get!(() -> norm_plan(collect(As)), NORM_PLANS, (eltype(As[1]), size.(As)))
mps_value(As...) = real(norm_of(As)(As..., As...))
function mps_gradient(As...)
    value, record = TensorOxide.recorded(norm_of(As), As..., As...)
    Ās = TensorOxide.pullback(record, one(value); last = true)
    N = length(As)
    return (map(k -> Ās[k] .+ Ās[N+k], 1:N)..., real(value))
end
function mps(T, D; N = 20, d = 2)
    bonds = [min(D, d^k, d^(N - k)) for k in 0:N]
    return ntuple(k -> random(T, k, bonds[k], d, bonds[k+1]) ./ sqrt(d * bonds[k]), N)
end

random(T, seed, size...) = randn(MersenneTwister(seed), T, size...)
hermitian_part(A) = (A + A') / 2

const LOSSES = [
    Loss("svd", (8, 64, 256), (T, n) -> (random(T, 1, n, n), random(T, 2, n, n)), svd_value, svd_gradient),
    Loss("qr", (8, 64, 256), (T, n) -> (random(T, 1, n, n), random(T, 2, n, n), random(T, 3, n, n)), qr_value, qr_gradient),
    Loss("eigh", (8, 64, 256), (T, n) -> (hermitian_part(random(T, 1, n, n)), random(T, 2, n, n)), eigh_value, eigh_gradient),
    Loss("mps", (64,), mps, mps_value, mps_gradient),
    Loss("solve", (8, 64, 256), (T, n) -> (random(T, 1, n, n) + 2sqrt(n) * I, random(T, 2, n), random(T, 3, n)), solve_value,
         solve_gradient),
]
