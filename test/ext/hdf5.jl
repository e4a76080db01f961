# Files with HDF5.jl loaded: its library and its lock are ours, and each reads what the other wrote. With ITensorMPS.jl
# also states and operators in its layout.
using HDF5, Test, TensorOxide

const HDF5_ELEMENTS = (Float32, Float64, ComplexF32, ComplexF64)

@testset "HDF5.jl" begin
    folder = mktempdir()
    path = joinpath(folder, "a.h5")
    arrays = Dict("$T$n" => rand(T, ntuple(k -> k + 1, n)...) for T in HDF5_ELEMENTS for n in 1:4)
    TensorOxide.save(path, pairs(arrays)..., "number" => 1.0 - 2im, "text" => "α", "empty" => zeros(0, 3))
    @test occursin(string(HDF5.API.h5_get_libversion()), sprint(TensorOxide.versioninfo))
    h5open(path) do file
        for (name, A) in arrays
            @test read(file, name) == A
        end
        @test read(file, "number") == 1.0 - 2im && read(file, "text") == "α" && size(file["empty"]) == (0, 3)
    end
    @testset "a part, an attribute, a compressed tensor" begin
        A = rand(40, 30)
        TensorOxide.save(path, "g/A" => A; compress = 3, chunk = (10, 10))
        TensorOxide.open(file -> TensorOxide.attributes(file, "g/A")["unit"] = "J", path, "r+")
        h5open(path) do file
            @test file["g/A"][3:7, 30] == A[3:7, 30] && read(attributes(file["g/A"])["unit"]) == "J"
        end
    end
    theirs = joinpath(folder, "b.h5")
    h5open(theirs, "w") do file
        foreach(((name, A),) -> file[name] = A, arrays)
        file["scalar"] = 2.5
    end
    back = TensorOxide.load(theirs)
    @test all(((name, A),) -> back[name] == A, arrays) && back["scalar"] == 2.5
    # HDF5 may be called by one thread at a time: both have the same lock.
    if Threads.nthreads() > 1
        same = Threads.Atomic{Int}(0)
        Threads.@threads for k in 1:8
            file = joinpath(folder, "$k.h5")
            if iseven(k)
                TensorOxide.save(file, "A" => fill(float(k), 100))
                h5open(f -> read(f, "A"), file) == fill(float(k), 100) && Threads.atomic_add!(same, 1)
            else
                h5write(file, "A", fill(float(k), 100))
                TensorOxide.load(file, "A") == fill(float(k), 100) && Threads.atomic_add!(same, 1)
            end
        end
        @test same[] == 8
    end
end
