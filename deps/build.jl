# What Pkg.build runs: builds the engine with cargo and puts the library where src/library.jl looks for it.
# Everything is written to the depot: the package's folder may be read-only.
module Build

include(joinpath(@__DIR__, "..", "src", "compat.jl"))
include(joinpath(@__DIR__, "..", "src", "library.jl"))

const PACKAGE = dirname(@__DIR__)
const AGAIN = "then run `import Pkg; Pkg.build(\"TensorOxide\"; verbose = true)`"

"The lowest version of Rust that the engine compiles with."
function least_rust()
    line = match(r"^rust-version *= *\"([^\"]+)\""m, read(joinpath(PACKAGE, "rust", "Cargo.toml"), String))
    return VersionNumber(line[1])
end

"""
The path of cargo, or `nothing`. Julia started from a desktop may not have the shell's PATH, so rustup's folder counts too.
`Sys.which` would follow the link by which rustup's programs know their names.
"""
function find_cargo()
    haskey(ENV, "CARGO") && return ENV["CARGO"]
    folders = split(get(ENV, "PATH", ""), Sys.iswindows() ? ';' : ':'; keepempty = false)
    push!(folders, joinpath(get(ENV, "CARGO_HOME", joinpath(homedir(), ".cargo")), "bin"))
    found = filter(isfile, joinpath.(folders, Sys.iswindows() ? "cargo.exe" : "cargo"))
    return isempty(found) ? nothing : first(found)
end

"`command` with the environment that a program built outside Julia expects."
function cleanly(command, cargo)
    drop = ("LD_LIBRARY_PATH", "LD_PRELOAD", "DYLD_LIBRARY_PATH", "DYLD_FALLBACK_LIBRARY_PATH", "DYLD_INSERT_LIBRARIES")
    environment = Dict{String,String}(k => v for (k, v) in ENV if !(k in drop))
    # cargo looks for rustc on the PATH
    environment["PATH"] = string(dirname(cargo), Sys.iswindows() ? ';' : ':', get(ENV, "PATH", ""))
    return setenv(command, environment)
end

"Why this Rust cannot build the engine, or `nothing` when it can."
function objection(cargo)
    cargo === nothing && return "Rust was not found. Install it with rustup (version $(least_rust()) or newer), $AGAIN."
    rustc = get(ENV, "RUSTC", "rustc")
    text = try
        read(cleanly(`$rustc --version`, cargo), String)
    catch
        return "cargo is at $cargo, but `$rustc --version` does not run. Repair the installation of Rust " *
               "(`rustup default stable`), $AGAIN."
    end
    found = match(r"\d+\.\d+\.\d+", text)
    found !== nothing && VersionNumber(found.match) >= least_rust() && return nothing
    return "The engine needs Rust $(least_rust()) or newer, and this is $(strip(text)). Run `rustup update`, $AGAIN."
end

"Run cargo, show what it prints as it comes, and return the path of the library."
function compile(cargo, target)
    command = `$cargo build --release --locked --package tensoroxide-capi --target-dir $target
               --message-format json-render-diagnostics`
    # Julia for one processor can run beside a Rust for another (Rosetta, 32-bit Julia).
    host = match(r"^host: (\S+)"m, read(cleanly(`$(get(ENV, "RUSTC", "rustc")) -vV`, cargo), String))[1]
    triple = string(Sys.ARCH, host[findfirst('-', host):end])
    triple == host || (command = `$command --target $triple`)
    println("Building the engine with $cargo in $target")
    progress = Pipe()
    messages = Pipe()
    process = run(pipeline(Cmd(cleanly(command, cargo); dir = joinpath(PACKAGE, "rust"));
                           stdin = devnull, stdout = messages, stderr = progress); wait = false)
    close(progress.in)
    close(messages.in)
    artifacts = @async read(messages, String)
    last_lines = String[]
    for line in eachline(progress)
        println(line)
        push!(last_lines, line)
        length(last_lines) > 25 && popfirst!(last_lines)
    end
    wait(process)
    success(process) || error("cargo could not build the engine. Its last lines:\n\n", join(last_lines, '\n'), "\n\n",
                              remedy(join(last_lines, '\n')))
    # cargo says where the library is: the user's configuration of cargo can change that.
    for text in eachmatch(r"\"((?:[^\"\\]|\\.)*)\"", fetch(artifacts))
        path = replace(text[1], "\\\\" => "\\")
        basename(path) == LIBRARY_NAME && return path
    end
    error("cargo ended without an error and without a $LIBRARY_NAME")
end

"What to do about a build that ended with this text."
function remedy(text)
    occursin(r"linker .* not found", text) && return "A C compiler is missing, which Rust links with. Install one " *
        "(Debian and Ubuntu: the package gcc; macOS: `xcode-select --install`; Windows: the Visual Studio build tools), $AGAIN."
    occursin(r"failed to (download|fetch|get|query)|[Cc]ould not resolve host|spurious network", text) &&
        return "cargo could not download the crates that the engine is made of. Check the network, or cargo's proxy or " *
               "mirror in its config.toml, $AGAIN."
    occursin("can't find crate for `std`", text) && return "Rust's standard library for this Julia's processor is " *
        "missing. Install it with `rustup target add`, $AGAIN."
    occursin("No space left on device", text) && return "Free some space on the disk of $(first(DEPOT_PATH)), $AGAIN."
    return "Correct what cargo complains about, $AGAIN."
end

"Copy `from` to `to` in one step: another process may be about to load what is there."
function install(from, to)
    isfile(to) && read(from) == read(to) && return
    part = string(to, ".", getpid())
    cp(from, part; force = true)
    try
        mv(part, to; force = true)
    catch
        rm(part; force = true)
        Sys.iswindows() || rethrow()
        error("$to is in use: close the other Julia sessions that have loaded TensorOxide, $AGAIN")
    end
end

"Remove what was built for packages that are no longer there (Pkg removes old versions; nothing else removes this)."
function tidy(depot)
    for folder in readdir(joinpath(depot, "tensoroxide"); join = true)
        label = joinpath(folder, "package")
        isfile(label) && !isdir(read(label, String)) && rm(folder; recursive = true)
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
