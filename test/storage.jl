# Files: values of every kind there and back, parts, attributes, errors, interrupted saves, threads; h5py as the other
# reader; ITensor's layout.
using TensorOxide, Test, LinearAlgebra, Random
const TO = TensorOxide
include("hdf5.jl")

"Whether `f()` throws a `type` whose text has all these `words`."
function storage_refuses(f, type, words...)
    error = try
        f()
        nothing
    catch e
        e
    end
    text = error === nothing ? "no error" : sprint(showerror, error)
    good = error isa type && all(word -> occursin(word, text), words)
    good || println("expected $type with $words, but: $text")
    return good
end

"The names in a folder, without those of new files that are being written."
finished(folder) = filter(name -> !endswith(name, ".part"), readdir(folder))

# An HDF5 library that cannot be had is told, and nothing more can be tested.
const HDF5_READY = try
    println(load_test_hdf5())
    true
catch e
    Sys.islinux() && haskey(HDF5_TOOLS, "debian") && rethrow()
    println("left out: all tests of files: ", sprint(showerror, e))
    false
end

HDF5_READY && mktempdir() do folder
    path = joinpath(folder, "state.h5")

    @testset "the library" begin
        @test occursin("HDF5 ", sprint(TO.versioninfo)) && occursin(TO.hdf5_description(), sprint(TO.versioninfo))
        @test TO.load_hdf5() == TO.hdf5_description()
        @test storage_refuses(() -> TO.load_hdf5("/no/libhdf5.so"), ErrorException, "cannot take its place")
        # An extension that comes later leaves a library that is in use alone.
        before = TO.HDF5_LOCK[]
        TO.lend_hdf5("/elsewhere/libhdf5.so", ReentrantLock())
        @test TO.HDF5_LOCK[] === before
        TO.HDF5_LENT[] = ("", ReentrantLock())
    end

    @testset "tensors, $T" for T in TO.STORED_TYPES
        values = T <: Union{Bool,Integer} ? rand(T, 4, 3, 5) : randn(T, 4, 3, 5)
        views = [values, view(values, 4:-2:1, :, 2), PermutedDimsArray(values, (3, 1, 2)), view(values, :, 2, 2:4)',
                 transpose(values[:, :, 1]), fill(values[1]), T[], zeros(T, 3, 0, 2), reshape(values, 2, 2, 15)]
        # One type of each size will do for the odd layouts, of which each is compiled.
        T in (Float32, Float64, ComplexF64, Bool) || (views = [values, fill(values[1])])
        TO.save(path, ("v$k" => A for (k, A) in enumerate(views))...)
        loaded = TO.load(path)
        for (k, A) in enumerate(views)
            B = loaded["v$k"]
            @test ndims(A) == 0 ? B === A[] : B == A && eltype(B) === T && B isa Array
        end
        TO.save(path, "x" => values; compress = 5, checksum = true, chunk = (2, 3, 2))
        @test TO.load(path, "x") == values
        TO.open(path) do file
            @test TO.item(file, "x").chunk == [2, 3, 2]
            @test size(file, "x") == (4, 3, 5) && eltype(file, "x") === T
            C = zeros(T, 5, 3, 4)
            length(views) > 2 && read!(file, "x", PermutedDimsArray(C, (3, 2, 1)))
            @test length(views) == 2 || C == permutedims(values, (3, 2, 1))
        end
    end

    @testset "parts" begin
        A = reshape(collect(1.0:60), 3, 4, 5)
        TO.save(path, "A" => A, "n" => 3)
        parts = [(:, 2, 1:3), (2, 3, 4), (3:-1:1, :, 5:-2:1), (1:2, 4:-3:1, 2:2), (:, :, :), (1:0, :, 2), (1, 2:2, :)]
        TO.open(path) do file
            for indices in parts
                @test file["A", indices...] == A[indices...]
            end
            @test storage_refuses(() -> file["A", :, :], DimensionMismatch, "3 indices")
            @test storage_refuses(() -> file["A", 4, 1, 1], BoundsError)
            @test storage_refuses(() -> file["A", [1, 2], 1, 1], ArgumentError, "range")
            @test storage_refuses(() -> read!(file, "A", zeros(3, 4)), DimensionMismatch, "A")
            @test storage_refuses(() -> read!(file, "A", zeros(ComplexF64, 3, 4, 5)), ArgumentError, "Float64")
            @test storage_refuses(() -> file["A", :, :, :] = A, ArgumentError, "opened to be read")
        end
        B = zeros(3, 4, 5)
        TO.open(path, "r+") do file
            TO.create(file, "B", Float64, (3, 4, 5); compress = 1)
            for indices in parts
                value = A[indices...]
                file["B", indices...] = value
                B[indices...] = value
            end
            file["B", 1, :, 1] = 7
            B[1, :, 1] .= 7
            @test storage_refuses(() -> file["B", :, 1, 1] = [1, 2], DimensionMismatch, "(3,)", "(2,)")
        end
        @test TO.load(path, "B", "n") == (B, 3)
    end

    @testset "texts, groups, lists, attributes, plans" begin
        ψ = [randn(1, 2, 3), randn(3, 2, 1)]
        shapes = [(2, 30), (30, 20), (20, 4)]
        plan = contraction_plan("ab,bc,cd->ad", shapes; path = [(1, 2), (0, 1)])
        TO.save(path, "text" => "Grüße\n∑", "mps" => ψ, "pair" => (1.5, [true, false]), "plan" => plan,
                "settings/deep" => Dict("χ" => 5, "inner" => Dict("A" => ones(2))), "bits" => trues(3), "range" => 1:3)
        all = TO.load(path)
        @test all["text"] == "Grüße\n∑" && all["mps"] == ψ && all["pair"] == [1.5, [true, false]]
        @test all["settings"]["deep"] == Dict("χ" => 5, "inner" => Dict("A" => ones(2)))
        @test all["bits"] == [true, true, true] && all["range"] == [1, 2, 3]
        again = contraction_plan("ab,bc,cd->ad", shapes; path = all["plan"])
        @test TO.contraction_path(again) == TO.contraction_path(plan)
        TO.save(path, "path" => all["plan"])
        @test TO.load(path, "path").text == all["plan"].text

        TO.open(path, "r+") do file
            file["g/x"] = [1.0]
            a = TO.attributes(file, "g/x")
            a["unit"], a["n"], a["v"], a["z"] = "J", 3, [1, 2], 1.5 + 2im
            a["n"] = 4
            @test Dict(a) == Dict("unit" => "J", "n" => 4, "v" => [1, 2], "z" => 1.5 + 2im) && length(a) == 4
            delete!(a, "v")
            TO.attributes(file, "/")["title"] = "all"
            @test_throws KeyError a["v"]
            @test_throws KeyError TO.attributes(file, "nothing")
            delete!(file, "path")
        end
        TO.open(path) do file
            @test keys(file) == ["g"] && keys(file, "g") == ["x"] && haskey(file, "g/x") && !haskey(file, "g/y/z")
            @test keys(TO.attributes(file, "g/x")) == ["n", "unit", "z"]
            @test TO.attributes(file, "/")["title"] == "all"
            @test sprint(show, file) == "TensorFile $(repr(path))"
        end
    end

    @testset "what is refused" begin
        TO.save(path, "x" => [1.0, 2.0])
        before = read(path)
        @test storage_refuses(() -> TO.load(path, "y"), KeyError, "y")
        @test storage_refuses(() -> TO.load(path, "x/y"), KeyError, "x/y")
        @test storage_refuses(() -> TO.load(joinpath(folder, "none.h5"), "x"), Base.IOError, "none.h5", "No such file")
        @test storage_refuses(() -> TO.save(joinpath(folder, "no", "x.h5"), "x" => 1), Base.IOError, "no folder")
        write(joinpath(folder, "text"), "no tensors here")
        @test storage_refuses(() -> TO.load(joinpath(folder, "text"), "x"), Base.IOError, "not an HDF5 file")
        write(joinpath(folder, "short.h5"), before[1:end-5])
        @test storage_refuses(() -> TO.load(joinpath(folder, "short.h5")), Base.IOError, "truncated")
        foreach(name -> rm(joinpath(folder, name)), ("text", "short.h5"))
        for (value, words) in (Any[1, 2] => "Any", [1im] => "Complex{Int", Float16[1] => "Float16", "a\0b" => "NUL",
                               Diagonal([1.0]) => "Diagonal", :symbol => "Symbol", zeros(fill(1, 33)...) => "32 axes")
            @test storage_refuses(() -> TO.save(path, "y" => value), ArgumentError, words)
        end
        @test storage_refuses(() -> TO.save(path, "x" => 1, "x" => 2), ArgumentError, "already")
        @test storage_refuses(() -> TO.save(path, "" => 1), ArgumentError, "no name")
        @test storage_refuses(() -> TO.save(path, "y" => [1]; compress = 11), ArgumentError, "0 to 9")
        @test storage_refuses(() -> TO.save(path, "y" => [1]; chunk = (1, 2)), ArgumentError, "chunk")
        @test storage_refuses(() -> TO.open(identity, path, "a"), ArgumentError, "mode")
        @test storage_refuses(() -> TO.open(file -> error("mine"), path, "w"), ErrorException, "mine")
        @test read(path) == before && readdir(folder) == ["state.h5"]
        file = TO.open(path)
        close(file)
        close(file)
        @test storage_refuses(() -> file["x"], ArgumentError, "closed")
        # A file that is let go is closed by the garbage collection, and what was written to it is gone; not, however,
        # while a task is inside HDF5.
        file = TO.open(path, "w")
        file["z"] = 1
        TO.locked(() -> TO.release(file))
        @test file.handle != C_NULL && length(readdir(folder)) == 2
        finalize(file)
        @test file.handle == C_NULL
        @test read(path) == before && readdir(folder) == ["state.h5"]
    end

    @testset "tasks at once" begin
        good = zeros(Int, 4)
        @sync for t in 1:4
            Threads.@spawn for k in 1:5
                mine = joinpath(folder, "task$t.h5")
                TO.save(mine, "x" => fill(10.0t + k, 100); sync = false)
                yield()
                good[t] += TO.load(mine, "x") == fill(10.0t + k, 100)
            end
        end
        @test good == fill(5, 4)
        foreach(t -> rm(joinpath(folder, "task$t.h5")), 1:4)
    end

    # In a process of its own, with a package of that name in the place of HDF5.jl, and with the newer library.
    haskey(HDF5_TOOLS, "bundled") && @testset "HDF5.jl lends its library and its lock" begin
        lender = joinpath(folder, "HDF5.jl")
        write(lender, """
            __precompile__(false)
            module HDF5
            module API
            const libhdf5 = $(repr(HDF5_TOOLS["bundled"]))
            const liblock = ReentrantLock()
            end
            end
            """)
        program = """
            pushfirst!(LOAD_PATH, $(repr(folder)))
            using TensorOxide, HDF5
            include($(repr(joinpath(dirname(@__DIR__), "ext", "TensorOxideHDF5Ext.jl"))))
            TensorOxide.HDF5_LOCK[] === HDF5.API.liblock || error("another lock")
            waiting = Threads.@spawn lock(() -> sleep(0.2), HDF5.API.liblock)
            TensorOxide.save($(repr(path)), "z" => [1 + 2im, 3.0], "t" => "text"; compress = 1)
            wait(waiting)
            TensorOxide.load($(repr(path)), "z", "t") == ([1 + 2im, 3.0], "text") || error("other values")
            occursin($(repr(HDF5_TOOLS["bundled"])), TensorOxide.load_hdf5()) || error("another library")
            """
        paths = join(LOAD_PATH, Sys.iswindows() ? ';' : ':')
        command = `$(Base.julia_cmd()) --startup-file=no -e $program`
        @test withenv(() -> success(pipeline(command; stderr = stderr)), "JULIA_LOAD_PATH" => paths,
                      "JULIA_PROJECT" => Base.active_project())
        # What one version of HDF5 writes, another one reads.
        @test TO.load(path, "z", "t") == ([1 + 2im, 3.0], "text")
        rm(lender)
    end

    @testset "h5py reads and writes the same" begin
        A, z = reshape(collect(1.0:6), 2, 3), ComplexF32[1+2im, 3]
        TO.save(path, "A" => A, "group/z" => z, "flags" => [true, false], "title" => "Grüße", "list" => [[1], [2]])
        @test python("""
import sys, h5py, numpy as np
with h5py.File(sys.argv[1]) as f:
    assert np.array_equal(f["A"][()], [[1, 2], [3, 4], [5, 6]]), f["A"][()]
    assert f["group/z"].dtype == "c8" and list(f["group/z"]) == [1 + 2j, 3]
    assert f["flags"].dtype == "?" and f["title"].asstr()[()] == "Grüße"
    assert f["list"].attrs["length"] == 2 and f["list/2"][0] == 2
with h5py.File(sys.argv[2], "w") as f:
    f.create_dataset("M", data=np.arange(6.).reshape(2, 3), compression="gzip", shuffle=True)
    f["c"] = 1 + 2j
    f["s"] = "text"
    f["b"] = np.array([[True], [False]])
    f["M"].attrs["unit"] = "J"
""", path, joinpath(folder, "theirs.h5"))
        if haskey(HDF5_TOOLS, "h5py")
            theirs = joinpath(folder, "theirs.h5")
            expected = Dict("M" => [0.0 3; 1 4; 2 5], "c" => 1.0 + 2im, "s" => "text", "b" => [true false])
            @test TO.load(theirs) == expected
            @test TO.open(file -> TO.attributes(file, "M")["unit"], theirs) == "J"
            rm(theirs)
        end
    end

    @testset "ITensor's layout, $T" for T in (Float64, ComplexF64)
        rng = MersenneTwister(1)
        ψ = [randn(rng, T, 1, 2, 3), randn(rng, T, 3, 2, 4), randn(rng, T, 4, 2, 1)]
        H = [randn(rng, T, 1, 2, 2, 5), randn(rng, T, 5, 2, 2, 6), randn(rng, T, 6, 2, 2, 1)]
        TO.open(path, "w") do file
            sites = [TO.ITensorIndex(2, "S=1/2,Site,n=$n") for n in 1:3]
            TO.write_itensor(file, "psi", ψ; sites = sites, limits = (0, 2))
            TO.write_itensor(file, "H", H; sites = sites)
            TO.write_itensor(file, "one", [ψ[1][:, :, 1:1]])
        end
        TO.open(path) do file
            back, sites, limits = TO.read_itensor(file, "psi")
            @test back == ψ && limits == (0, 2) && sites[2].tags == "S=1/2,Site,n=2"
            back, operator_sites, limits = TO.read_itensor(file, "H")
            @test back == H && operator_sites == sites && limits == (0, 4)
            @test first(TO.read_itensor(file, "one")) == [ψ[1][:, :, 1:1]]
            @test storage_refuses(() -> TO.read_itensor(file, "psi/MPS[1]"), ArgumentError, "ITensor", "MPS or MPO")
            @test storage_refuses(() -> TO.read_itensor(file, "phi"), KeyError, "phi")
        end
        # What ITensors.jl looks at when it reads: types and versions, scalars of 64 bits, vectors of elements.
        @test python("""
import sys, h5py, numpy as np
f = h5py.File(sys.argv[1])
def object(g, type):
    assert g.attrs["type"].decode() == type and g.attrs["version"] == 1 and g.attrs["version"].dtype == "i8", g
    return g
psi = object(f["psi"], "MPS")
assert psi["length"][()] == 3 and psi["llim"][()] == 0 and psi["rlim"][()] == 2
t = object(psi["MPS[2]"], "ITensor")
inds = object(t["inds"], "IndexSet")
index = [object(inds["index_%d" % k], "Index") for k in range(1, inds["length"][()] + 1)]
assert [i["dim"][()] for i in index] == [3, 2, 4]
assert all(i["id"].dtype == "u8" and i["plev"][()] == i["dir"][()] == 0 for i in index)
assert all(i.attrs["space_type"] == b"Int" for i in index)
assert object(index[1]["tags"], "TagSet")["tags"][()] == b"S=1/2,Site,n=2"
first = psi["MPS[1]/inds"]
assert first["length"][()] == 2 and first["index_2/id"][()] == index[0]["id"][()]
s = object(t["storage"], "Dense{$(T === Float64 ? "Float64" : "ComplexF64")}")
assert s["data"].shape == (24,)
assert [f["H/MPO[1]/inds/index_%d/plev" % k][()] for k in (1, 2, 3)] == [1, 0, 0]
# The same state as the C++ version may write it: indices in another order, pairs of real numbers, `store`.
g = h5py.File(sys.argv[1] + ".cpp", "w")
f.copy("psi", g)
t = g["psi/MPS[2]"]
x = t["storage/data"][()].reshape(4, 2, 3).transpose(1, 0, 2)
for k, old in ((1, 1), (2, 3), (3, 2)): t.move("inds/index_%d" % old, "inds/new_%d" % k)
for k in (1, 2, 3): t.move("inds/new_%d" % k, "inds/index_%d" % k)
t.move("storage", "store")
del t["store/data"]
if x.dtype == complex:
    t["store/data"] = np.ascontiguousarray(x).view(float).reshape(-1, 2)
    t["store/data"].attrs["__complex__"] = 1
else:
    t["store/data"] = x.ravel()
t = g["psi/MPS[3]"]
t["storage"].attrs["type"] = np.bytes_(b"BlockSparse{Float64}")
""", path)
        if haskey(HDF5_TOOLS, "h5py")
            TO.open(path * ".cpp", "r+") do file
                @test storage_refuses(() -> TO.read_itensor(file, "psi"), ArgumentError, "BlockSparse")
                TO.write_text(file, "psi/MPS[3]/storage", "type", "Dense{$(TO.type_name(T))}")
                @test first(TO.read_itensor(file, "psi")) == ψ
            end
            rm(path * ".cpp")
        end
        put(tensors) = () -> TO.open(file -> TO.write_itensor(file, "x", tensors), path, "w")
        @test storage_refuses(put([ψ[1], ψ[3]]), DimensionMismatch, "bond")
        @test storage_refuses(put(ψ[2:3]), DimensionMismatch, "ends")
        @test storage_refuses(put([ones(1)]), ArgumentError, "three indices")
    end
end
