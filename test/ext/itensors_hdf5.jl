# States and operators of dense tensors in files: ITensorMPS.jl reads what we write, and we read what it writes.
using HDF5, ITensorMPS, ITensors, Test, TensorOxide

@testset "ITensorMPS.jl's files, $T" for T in (Float64, ComplexF64)
    path = joinpath(mktempdir(), "psi.h5")
    ψ = [rand(T, 1, 2, 3), rand(T, 3, 2, 4), rand(T, 4, 2, 1)]
    H = [rand(T, 1, 2, 2, 5), rand(T, 5, 2, 2, 6), rand(T, 6, 2, 2, 1)]
    TensorOxide.open(path, "w") do file
        sites = [TensorOxide.ITensorIndex(2, "S=1/2,Site,n=$n") for n in 1:3]
        TensorOxide.write_itensor(file, "psi", ψ; sites = sites, limits = (0, 2))
        TensorOxide.write_itensor(file, "H", H; sites = sites)
    end
    theirs, operator = h5open(file -> (read(file, "psi", MPS), read(file, "H", MPO)), path)
    @test all(hastags(s, "S=1/2,Site,n=$n") for (n, s) in enumerate(siteinds(theirs)))
    @test orthocenter(theirs) == 1
    whole(ψ) = reshape(einsum("asb,btc,cud->stu", ψ...), 2, 2, 2)
    @test Array(prod(theirs), siteinds(theirs)...) ≈ whole(ψ)
    # ⟨ψ|H|ψ⟩ knows which index of the operator is which.
    bra = (true, true, true, false, false, false, false, false, false)
    energy = einsum("asb,btc,cud,hsie,etjf,fukg,lim,mjn,nkp->", ψ..., H..., ψ...; conj = bra)
    @test inner(theirs', operator, theirs) ≈ energy

    # And back: a state and an operator that ITensorMPS made.
    sites = siteinds("S=1", 4)
    state = random_mps(T, sites; linkdims = 5)
    terms = OpSum()
    for n in 1:3
        terms += "Sz", n, "Sz", n + 1
        terms += 0.5, "S+", n, "S-", n + 1
    end
    mpo = MPO(terms, sites)
    h5open(path, "w") do file
        write(file, "state", state)
        write(file, "mpo", mpo)
    end
    (arrays, physical, limits), (operators,) = TensorOxide.open(path) do file
        TensorOxide.read_itensor(file, "state"), TensorOxide.read_itensor(file, "mpo")
    end
    @test [s.dim for s in physical] == fill(3, 4) && limits == (ITensorMPS.leftlim(state), ITensorMPS.rightlim(state))
    vector = reshape(einsum("asb,btc,cud,dve->stuv", arrays...), 3, 3, 3, 3)
    @test vector ≈ Array(prod(state), sites...)
    matrix = einsum("asib,btjc,cukd,dvle->stuvijkl", operators...)
    @test matrix ≈ Array(prod(mpo), prime.(sites)..., sites...)
end
