# Saving and loading tensors, beside h5py and the rates at which this machine copies memory and writes and reads plain
# files:
#
#     julia --project benchmark/storage.jl [FOLDER]
#
# FOLDER is where the files go (a folder for temporary ones, if none is named): what counts is its disk. Rates are
# medians in GB/s of the tensor's own bytes, taken in turns within one run; a save waits for the disk (`sync`) or does
# not. h5py is Python's, as deps/hdf5.sh installs it; it never waits for the disk, so that it stands beside `sync =
# false`.
using TensorOxide, Random
include("timing.jl")
include(joinpath(@__DIR__, "..", "test", "hdf5.jl"))

const H5PY = """
import sys, time, h5py, numpy as np
path, out = sys.argv[1], {}
for line in sys.stdin:
    what, count, level = line.split()
    if what == "data":
        x = np.random.default_rng(1).standard_normal(int(count)); y = np.empty_like(x)
        print(0, flush=True)
        continue
    t = time.perf_counter()
    if what == "save":
        with h5py.File(path, "w") as f:
            if level == "0": f.create_dataset("x", data=x)
            else: f.create_dataset("x", data=x, compression="gzip", compression_opts=int(level), shuffle=True)
    else:
        with h5py.File(path, "r") as f: f["x"].read_direct(y)
    print(time.perf_counter() - t, flush=True)
"""

rate(bytes_per_second) = bytes_per_second < 1e6 ? "" : three_digits(bytes_per_second / 1e9) * " GB/s"

"Seconds of `f()`."
seconds(f) = (start = time_ns(); f(); (time_ns() - start) / 1e9)

function measure(folder, count, rounds, peer)
    x, y = randn(MersenneTwister(1), count), zeros(count)
    ours, plain, theirs = (joinpath(folder, name) for name in ("ours.h5", "plain", "theirs.h5"))
    ask(what, level = 0) = (println(peer, what, ' ', count, ' ', level); parse(Float64, readline(peer)))
    peer === nothing || ask("data")
    read_ours() = TensorOxide.open(file -> read!(file, "x", y), ours)
    write_plain() = open(io -> write(io, x), plain, "w")
    tasks = Any["copy in memory" => () -> seconds(() -> copyto!(y, x)),
                "plain write" => () -> seconds(write_plain),
                "plain read" => () -> seconds(() -> open(io -> read!(io, y), plain)),
                "save" => () -> seconds(() -> TensorOxide.save(ours, "x" => x; sync = false)),
                "load" => () -> seconds(read_ours)]
    peer === nothing || append!(tasks, ["h5py save" => () -> ask("save"), "h5py load" => () -> ask("load")])
    push!(tasks, "save, synced" => () -> seconds(() -> TensorOxide.save(ours, "x" => x)))
    if count <= 1 << 22
        packed() = TensorOxide.save(ours, "x" => x; compress = 1, sync = false)
        append!(tasks, ["save, deflate 1" => () -> seconds(packed), "load, deflate 1" => () -> seconds(read_ours)])
        peer === nothing || push!(tasks, "h5py save, deflate 1" => () -> ask("save", 1),
                                  "h5py load, deflate 1" => () -> ask("load", 1))
    end
    times = Dict(name => Float64[] for (name, _) in tasks)
    for round in 0:rounds, (name, task) in tasks
        t = task()
        round == 0 || push!(times[name], t)
    end
    y == x || error("what was loaded is not what was saved")
    println("\n", count == 1 ? "one number" : "$(8count >> 20) MiB")
    for (name, _) in tasks
        t = median(times[name])
        println("  ", rpad(name, 24), lpad(pretty(t), 10), lpad(rate(8count / t), 13))
    end
    foreach(path -> rm(path; force = true), (ours, plain, theirs))
end

function main(folder)
    println(load_test_hdf5())
    peer = nothing
    if haskey(HDF5_TOOLS, "h5py")
        python = HDF5_TOOLS["h5py"]
        println("beside h5py, HDF5 ", readchomp(`$python -c "import h5py; print(h5py.version.hdf5_version)"`))
        peer = open(`$python -c $H5PY $(joinpath(folder, "theirs.h5"))`, "r+")
    end
    sizes = (1 => 31, 1 << 17 => 21, 1 << 22 => 7, 1 << 25 => 5)
    foreach(((count, rounds),) -> measure(folder, count, rounds, peer), sizes)
    peer === nothing || close(peer)
end

isempty(ARGS) ? mktempdir(main) : main(ARGS[1])
