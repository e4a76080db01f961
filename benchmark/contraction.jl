# One contraction per call, as in the inner loop of DMRG: a plan of the engine into an existing array, beside the same
# in plain Julia by `permutedims` and `*`, and by `permutedims!` and `mul!` into existing arrays.

matrix(A, m, n) = reshape(A, m, n)

# Two neighbouring sites become one tensor: a single matrix product, no permutation.
const SITES = "abc,cde->abde"
sites(χ, d) = (randn(χ, d, χ), randn(χ, d, χ))
function sites_plain(A, B)
    (a, b, c), (_, d, e) = size(A), size(B)
    return reshape(matrix(A, a * b, c) * matrix(B, c, d * e), a, b, d, e)
end
function sites_in_place(C, A, B)
    (a, b, c), (_, d, e) = size(A), size(B)
    mul!(matrix(C, a * b, d * e), matrix(A, a * b, c), matrix(B, c, d * e))
    return C
end

# An operator's site on a state's: the two contracted indices lie apart in both, so all three are permuted.
const OPERATOR = "asbw,wvts->atbv"
operator(χ, d) = (randn(χ, d, χ, 5), randn(5, 5, d, d))
function operator_plain(A, W)
    (a, s, b, w), (_, v, t, _) = size(A), size(W)
    M = matrix(permutedims(A, (1, 3, 4, 2)), a * b, w * s) * matrix(permutedims(W, (1, 4, 2, 3)), w * s, v * t)
    return permutedims(reshape(M, a, b, v, t), (1, 4, 2, 3))
end
struct OperatorRoom
    A::Array{Float64,4}
    W::Array{Float64,4}
    M::Array{Float64,4}
end
function OperatorRoom(A, W)
    (a, s, b, w), (_, v, t, _) = size(A), size(W)
    return OperatorRoom(zeros(a, b, w, s), zeros(w, s, v, t), zeros(a, b, v, t))
end
function operator_in_place(C, A, W, room)
    permutedims!(room.A, A, (1, 3, 4, 2))
    permutedims!(room.W, W, (1, 4, 2, 3))
    (a, b, w, s), (_, _, v, t) = size(room.A), size(room.W)
    mul!(matrix(room.M, a * b, v * t), matrix(room.A, a * b, w * s), matrix(room.W, w * s, v * t))
    return permutedims!(C, room.M, (1, 4, 2, 3))
end

function contraction(_, threads)
    heading("Contractions in the inner loop of DMRG, d = 2, µs per call, threads = $threads",
            ["*/plan", "in place/plan", "plan", "einsum!", "permutedims, *", "in place"])
    for χ in (1, 8, 32, 128)
        contraction_row("$SITES, χ = $χ", SITES, sites(χ, 2)..., sites_plain, sites_in_place)
    end
    for χ in (1, 8, 32, 128)
        A, W = operator(χ, 2)
        contraction_row("$OPERATOR, χ = $χ", OPERATOR, A, W, operator_plain, operator_in_place, OperatorRoom(A, W))
    end
end

function contraction_row(label, expression, A, B, plain, in_place, room...)
    plan = contraction_plan(expression, size.((A, B)))
    C = plan(A, B)
    D = similar(C)
    C ≈ plain(A, B) ≈ in_place(D, A, B, room...) || error("$expression: the results differ")
    ours, remembered, theirs, filled = in_turns([least -> seconds_per_call(plan, least, C, A, B),
                                                 least -> seconds_per_call(einsum!, least, C, expression, A, B),
                                                 least -> seconds_per_call(plain, least, A, B),
                                                 least -> seconds_per_call(in_place, least, D, A, B, room...)])
    row(label, [theirs / ours; filled / ours; microseconds([ours, remembered, theirs, filled])])
end
