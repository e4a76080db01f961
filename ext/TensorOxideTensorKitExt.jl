# TensorKit's contractions on our backend. What it does to the parts of its tensors (sums, permutations, traces) it
# hands to TensorOperations with the backend; the products of its blocks, for which it calls `mul!`, are here.
module TensorOxideTensorKitExt

using TensorKit: TensorKit, AbstractTensorMap, BraidingStyle, Fermionic, SectorMismatch, SpaceMismatch,
                 SymmetricBraiding, block, blocksectors, codomainind, compose, domainind, has_shared_permute, isdual,
                 permute, scalartype, sectortype, space, twist!
using TensorKit.TensorOperations: Index2Tuple, One, Zero, oindABinC, tensoradd!, tensoralloc_add, tensorcontract!,
                                  tensorfree!
using TensorOxide: TensorOxideBackend

const Backend = typeof(TensorOxideBackend())

function TensorKit.blas_contract!(C::AbstractTensorMap, A::AbstractTensorMap, pA::Index2Tuple, B::AbstractTensorMap,
                                  pB::Index2Tuple, pAB::Index2Tuple, α, β, backend::Backend, allocator)
    braiding = BraidingStyle(sectortype(C))
    braiding isa SymmetricBraiding || throw(SectorMismatch(
        "only tensors whose braiding is symmetric can be contracted; `@planar` takes others"))
    # A fermion that runs backwards through the contraction costs a sign.
    twists = braiding isa Fermionic && any(i -> isdual(space(B, i)), pB[1])
    L, copiedA = composable(A, pA, scalartype(C), false, backend, allocator)
    R, copiedB = composable(B, pB, scalartype(C), twists, backend, allocator)
    twists && twist!(R, filter(i -> isdual(space(R, i)), codomainind(R)))
    p = oindABinC(pAB, (codomainind(L), domainind(L)), (codomainind(R), domainind(R)))
    if has_shared_permute(C, p)
        multiply!(permute(C, p), L, R, α, β, backend, allocator)
    else
        LR = tensoralloc_add(scalartype(C), C, p, false, Val(true), allocator)
        multiply!(LR, L, R, One(), Zero(), backend, allocator)
        tensoradd!(C, LR, pAB, false, α, β, backend, allocator)
        tensorfree!(LR, allocator)
    end
    copiedB && tensorfree!(R, allocator)
    copiedA && tensorfree!(L, allocator)
    return C
end

"`A` with its indices arranged as `p`, and whether it is a copy, of elements `T`, which `copied` insists on."
function composable(A, p, ::Type{T}, copied, backend, allocator) where {T}
    !copied && has_shared_permute(A, p) && return permute(A, p), false
    copy = tensoralloc_add(T, A, p, false, Val(true), allocator)
    return tensoradd!(copy, A, p, false, One(), Zero(), backend, allocator), true
end

# A sector that `L` or `R` lacks has blocks without rows or columns there, of which the product is zero.
function multiply!(C, L, R, α, β, backend, allocator)
    compose(space(L), space(R)) == space(C) || throw(SpaceMismatch(
        "$(space(L)) times $(space(R)) is not in $(space(C))"))
    p = ((1,), (2,))
    for c in blocksectors(C)
        tensorcontract!(block(C, c), block(L, c), p, false, block(R, c), p, false, p, α, β, backend, allocator)
    end
    return C
end

end
