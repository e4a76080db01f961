# Derivatives of the eigenpairs that `eigsolve` finds: through the equation that they solve, not through the iterations.

"""
    x = eigenpair_pullback(adjoint, λ, v, λ̄, v̄; phases = :fixed, options...)

The cotangent of `A·v`, for a constant `v`, where `λ` and `v` are an eigenpair from [`eigsolve`](@ref) and `λ̄` and `v̄`
their cotangents (`nothing` is zero). `adjoint(x)` is `Aᴴ·x`; of a Hermitian map, the map itself. Cotangents of what
the map depends on follow by its own pullback at `v`: of a matrix, `Ā = x·v'`.

`x` solves `(λ - A + σ·v·v')ᴴ·x = v̄′ + σ·λ̄·v` with `v̄′` the part of `v̄` that norm and phase leave free, as in the engine
(`rust/autodiff/src/krylov.rs`), by [`linsolve`](@ref), whose `options` these are. `phases` is as in [`pullback`](@ref).

Throws an `ArgumentError` if the linear system does not converge, as where `λ` is not simple, or where phases are free and
the loss depends on them.

```jldoctest
julia> using TensorOxide, LinearAlgebra

julia> A = [2.0 1.0; 1.0 2.0]; vals, vecs, _ = TensorOxide.eigsolve(x -> A * x, [1.0, 0.5], 1, :LR);

julia> x = TensorOxide.eigenpair_pullback(x -> A' * x, vals[1], vecs[1], 1.0, nothing);

julia> x * vecs[1]' ≈ [0.5 0.5; 0.5 0.5]
true
```
"""
function eigenpair_pullback(adjoint, λ, v, λ̄, v̄; phases::Symbol = :fixed, options...)
    phases in (:fixed, :free) || throw(ArgumentError("phases is :fixed or :free, not $(repr(phases))"))
    T = eltype(v)
    right = v̄ === nothing ? zero(v) : copy(plain(T, v̄))
    μ = λ̄ === nothing ? zero(T) : T <: Real ? T(real(λ̄)) : T(λ̄)
    along = LinearAlgebra.dot(v, right)
    if phases === :free
        abs(imag(along)) <= sqrt(eps(real(T))) * LinearAlgebra.norm(right) || throw(ArgumentError(
            "the cotangent depends on the phase of the eigenvector"))
        right .-= along .* v
    else
        right .-= real(along) .* v
        T <: Complex && (right[leading(v)] -= im * imag(along) / real(v[leading(v)]))
    end
    probe = iszero(right) ? v : right
    σ = max(LinearAlgebra.norm(adjoint(probe)) / LinearAlgebra.norm(probe), abs(λ))
    σ = σ > 0 && isfinite(σ) ? σ : one(σ)
    bordered(x) = conj(λ) .* x .- adjoint(x) .+ (σ * LinearAlgebra.dot(v, x)) .* v
    x, info = linsolve(bordered, right .+ (σ * μ) .* v, μ .* v; options...)
    info.converged == 1 || throw(ArgumentError(
        "the derivative of the eigenpair did not converge ($info): the eigenvalue may not be simple"))
    return x
end

"The entry of a vector that the standard makes real: the first of those of largest magnitude."
leading(v) = findfirst(x -> abs2(x) >= (1 - 20 * length(v) * eps(real(eltype(v)))) * maximum(abs2, v), v)
