# Builds the engine with cargo, for build.jl and release.jl. Nothing is written beside the sources: the package's folder
# may be read-only.
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
The path of cargo, or `nothing`. A Julia started from a desktop may lack the shell's PATH: rustup's folder counts too.
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

"The Rust compiler that cargo would use. Looked for here, since programs are started from this process's PATH."
function rustc(cargo)
    beside = joinpath(dirname(cargo), Sys.iswindows() ? "rustc.exe" : "rustc")
    return get(ENV, "RUSTC", isfile(beside) ? beside : "rustc")
end

"Why this Rust cannot build the engine, or `nothing` when it can."
function objection(cargo)
    cargo === nothing && return "Rust was not found. Install it with rustup (version $(least_rust()) or newer), $AGAIN."
    text = try
        read(cleanly(`$(rustc(cargo)) --version`, cargo), String)
    catch
        return "cargo is at $cargo, but `$(rustc(cargo)) --version` does not run. Repair the installation of Rust " *
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
    host = match(r"^host: (\S+)"m, read(cleanly(`$(rustc(cargo)) -vV`, cargo), String))[1]
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
        "(Debian: the package gcc; macOS: `xcode-select --install`; Windows: Visual Studio's build tools), $AGAIN."
    occursin(r"failed to (download|fetch|get|query)|[Cc]ould not resolve host|spurious network", text) &&
        return "cargo could not download the crates that the engine is made of. Check the network, or the proxy or " *
               "mirror in cargo's config.toml, $AGAIN."
    occursin("can't find crate for `std`", text) && return "Rust's standard library for this Julia's processor is " *
        "missing. Install it with `rustup target add`, $AGAIN."
    occursin("No space left on device", text) && return "Free some space on the disk of $(first(DEPOT_PATH)), $AGAIN."
    return "Correct what cargo complains about, $AGAIN."
end
