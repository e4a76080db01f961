# The ground state of an infinite chain by gradients: a uniform matrix product state, varied until its energy is least.
#
#     julia --project examples/imps.jl                             transverse Ising chain, H = −Σ ZZ − ½ Σ X
#     julia --project examples/imps.jl --field 1.0 --maxdim 16     the critical one
#
# The state is a single tensor A, made an isometry by a QR decomposition of free parameters; its environment r on the
# right solves a system of linear equations, and the energy per site is one contraction of A, r and the two-site
# Hamiltonian (Vanderstraeten, Haegeman and Verstraete, SciPost Phys. Lect. Notes 7, 2.4 and 3.2 (2019)). The gradient
# is the way back through these steps, by the pullbacks of `qr_compact`, `solve` and `einsum`: no package for automatic
# differentiation is needed, and with one (Zygote) `gradient(energy, M)` gives the same. The minimiser is L-BFGS
# (Nocedal and Wright, Numerical Optimization, 2nd ed., 7.2).
#
# The exact energy of the transverse Ising chain is that of Pfeuty, Ann. Phys. 57, 79 (1970).

using LinearAlgebra
using Random
using TensorOxide
using TensorOxide: pullback, qr_compact, solve

"−ZZ − field·(X⊗1 + 1⊗X)/2 with the axes s, t, s′, t′."
function bond(field)
    Z, X, one = [1.0 0; 0 -1], [0.0 1; 1 0], [1.0 0; 0 1]
    return -einsum("as,bt->stab", Z, Z) .- (field / 2) .* (einsum("as,bt->stab", X, one) .+ einsum("as,bt->stab", one, X))
end

const TRANSFER = "asc,bsd->abcd"                         # E[ab, cd] = Σ A[a,s,c]·A[b,s,d]
const ENERGY = "lsb,btc,stuv,lud,dve,ce->"               # two sites, the Hamiltonian, two sites, r

"""
    energy(M, h) -> energy per site, and what the way back needs

`M` has the size (D, 2, D); the tensor of the state is the isometry of its QR decomposition.
"""
function energy(M, h)
    D = size(M, 1)
    Q, R = qr_compact(reshape(M, :, D))
    A = reshape(Q, size(M))
    E = reshape(einsum(TRANSFER, A, A), D^2, D^2)
    # r = E·r with tr r = 1; the term with the trace makes the system regular, and is what normalises r.
    trace = vec(Matrix(1.0I, D, D))
    start = trace ./ D
    G = I - E + start * trace'
    r = solve(G, start)
    ρ = reshape(r, D, D)
    e = einsum(ENERGY, A, A, h, A, A, ρ)
    return e, (Q = Q, R = R, A = A, G = G, r = r, ρ = ρ, start = start)
end

"The gradient of the energy: the steps of [`energy`](@ref), backwards."
function gradient_of_energy(M, h, e, step)
    D, A = size(M, 1), step.A
    _, Ā₁, Ā₂, _, Ā₃, Ā₄, ρ̄ = pullback(einsum, (ENERGY, A, A, h, A, A, step.ρ), e, 1.0)
    Ḡ, _ = pullback(solve, (step.G, step.start), step.r, vec(ρ̄))
    Ē = reshape(-Ḡ, D, D, D, D)
    _, Ā₅, Ā₆ = pullback(einsum, (TRANSFER, A, A), reshape(Ē, D, D, D, D), Ē)
    Ā = Ā₁ .+ Ā₂ .+ Ā₃ .+ Ā₄ .+ Ā₅ .+ Ā₆
    M̄, = pullback(qr_compact, (reshape(M, :, D),), (step.Q, step.R), (reshape(Ā, :, D), nothing))
    return reshape(M̄, size(M))
end

"The direction of L-BFGS: the inverse Hessian that the last steps and changes of the gradient suggest, times −g."
function direction(g, steps, changes)
    q, α = -g, Float64[]
    for (s, y) in zip(reverse(steps), reverse(changes))
        push!(α, dot(s, q) / dot(s, y))
        q = q .- last(α) .* y
    end
    isempty(steps) || (q = q .* (dot(steps[end], changes[end]) / sum(abs2, changes[end])))
    for (s, y) in zip(steps, changes)
        q = q .+ (pop!(α) - dot(y, q) / dot(s, y)) .* s
    end
    return q
end

"""
    ground_state(h; maxdim, iterations, tol, seed) -> energy per site, M, record

The energy goes down in every step, to a gradient below `tol`. `record` has the energy and the norm of the gradient of each.
"""
function ground_state(h; maxdim = 8, iterations = 400, tol = 1e-7, seed = 1, memory = 12)
    M = randn(MersenneTwister(seed), maxdim, size(h, 1), maxdim)
    e, way = energy(M, h)
    g = gradient_of_energy(M, h, e, way)
    steps, changes, record = typeof(M)[], typeof(M)[], [(e, norm(g))]
    for _ in 1:iterations
        norm(g) < tol && break
        p = direction(g, steps, changes)
        dot(p, g) < 0 || (p = -g; empty!(steps); empty!(changes))
        t = isempty(steps) ? min(1.0, 1 / norm(g)) : 1.0
        new, way = energy(M .+ t .* p, h)
        while new > e + 1e-4 * t * dot(p, g) && t > 1e-12
            t /= 2
            new, way = energy(M .+ t .* p, h)
        end
        new < e || break
        e, next = new, M .+ t .* p
        ḡ = gradient_of_energy(next, h, e, way)
        s, y = next .- M, ḡ .- g
        M, g = next, ḡ
        push!(record, (e, norm(g)))
        dot(s, y) > 1e-10 * norm(s) * norm(y) || continue
        push!(steps, s), push!(changes, y)
        length(steps) > memory && (popfirst!(steps), popfirst!(changes))
    end
    return e, M, record
end

"The exact energy per site, by the trapezoidal rule, which converges exponentially off the critical point."
exact(field; points = 1_000_000) =
    -sum(k -> sqrt(1 + field^2 - 2field * cos(2π * (k + 0.5) / points)), 0:points-1) / points

function main(arguments = ARGS)
    options = Dict("--field" => "0.5", "--maxdim" => "8", "--iterations" => "400")
    for (name, value) in zip(arguments[1:2:end], arguments[2:2:end])
        haskey(options, name) || error("there is no option $name; there are $(join(sort(collect(keys(options))), ", "))")
        options[name] = value
    end
    field = parse(Float64, options["--field"])
    maxdim, iterations = parse(Int, options["--maxdim"]), parse(Int, options["--iterations"])
    seconds = @elapsed e, M, record = ground_state(bond(field); maxdim = maxdim, iterations = iterations)
    println("infinite transverse Ising chain, field $field, bond dimension $maxdim")
    for k in unique([1:10:length(record); length(record)])
        println(lpad(k - 1, 5), "  energy ", rpad(round(record[k][1]; digits = 12), 16), "  |gradient| ",
                round(record[k][2]; sigdigits = 2))
    end
    println("energy per site ", round(e; digits = 12), ", exact ", round(exact(field); digits = 12), ", above it by ",
            round(e - exact(field); sigdigits = 2), ", in ", round(seconds; digits = 1), " s")
    return e
end

abspath(PROGRAM_FILE) == @__FILE__() && main()
