# What Pkg.build runs: builds the engine with cargo and puts it in the depot, where src/library.jl looks for it.
module Build

include("cargo.jl")

"Copy `from` to `to` in one step: another process may be about to load what is there."
function install(from, to)
    isfile(to) && read(from) == read(to) && return
    part = string(to, ".", getpid())
    cp(from, part; force = true)
    try
        Base.Filesystem.rename(part, to)
    catch
        rm(part; force = true)
        Sys.iswindows() || rethrow()
        error("$to is in use: close the other Julia sessions that have loaded TensorOxide, $AGAIN")
    end
end

"""
Remove what was built for versions of the package that Pkg has removed from the depot: Pkg knows nothing of it.
"""
function tidy(depot)
    for folder in readdir(joinpath(depot, "tensoroxide"); join = true)
        label = joinpath(folder, "package")
        isfile(label) || continue
        package = read(label, String)
        startswith(package, realpath(depot)) && !isdir(package) && rm(folder; recursive = true)
    end
end

function main()
    if !isempty(get(ENV, "TENSOROXIDE_LIBRARY", ""))
        println("Nothing to build: the environment variable TENSOROXIDE_LIBRARY names the engine.")
        return
    end
    cargo = find_cargo()
    no = objection(cargo)
    if no !== nothing
        artifact_library(PACKAGE) === nothing && error(no)
        println("The engine comes from the artifact for this platform. ", no)
        return
    end
    depot = first(DEPOT_PATH)
    folder = build_folder(PACKAGE, depot)
    mkpath(folder)
    write(joinpath(folder, "package"), realpath(PACKAGE))
    install(compile(cargo, joinpath(folder, "target")), joinpath(folder, LIBRARY_NAME))
    tidy(depot)
    println("The engine is ", joinpath(folder, LIBRARY_NAME))
end

end

Build.main()
