# How the engine is built, packed, found and loaded. Programs that stand in for cargo and rustc make the ways in which a
# build can go quick to try; the library that they "build" is the one that is loaded here.
module BuildTests

using Libdl, Pkg, SHA, Test, TensorOxide

"What deps/build.jl and deps/release.jl share."
module Cargo
include(joinpath(@__DIR__, "..", "deps", "cargo.jl"))
end

const PACKAGE = dirname(@__DIR__)
const LIBRARY = TensorOxide.library_path()

# ---------------------------------------------------------------------------------------------------- what is loaded

"The names that the ELF library at `path` offers to others: the defined symbols of its dynamic symbol table."
function exported(path)
    bytes = read(path)
    word(T, at) = ltoh(reinterpret(T, bytes[at+1:at+sizeof(T)])[1])
    sections = word(UInt64, 0x28) .+ (0:word(UInt16, 0x3c)-1) .* word(UInt16, 0x3a)
    table = sections[findfirst(s -> word(UInt32, s + 4) == 11, sections)]      # of type SHT_DYNSYM
    text = word(UInt64, sections[word(UInt32, table + 0x28)+1] + 0x18)         # its string table
    first, size = word(UInt64, table + 0x18), word(UInt64, table + 0x20)
    names = String[]
    for symbol in first:24:first+size-1
        word(UInt16, symbol + 6) == 0 && continue                              # undefined: taken from another library
        name = text + word(UInt32, symbol)
        push!(names, String(bytes[name+1:findnext(iszero, bytes, name + 1)-1]))
    end
    return names
end

if Sys.islinux() && Sys.WORD_SIZE == 64
    @testset "only the ABI is exported" begin
        names = exported(LIBRARY)
        @test "tox_abi_version" in names
        @test filter(name -> !startswith(name, "tox_"), names) == String[]
    end
end

"The text of the error that `f()` throws."
message(f) = try
    f()
    "no error"
catch e
    sprint(showerror, e)
end

@testset "libraries that do not fit" begin
    folder = mktempdir()
    text = joinpath(folder, "text")
    write(text, "This is not a library, but is long enough to hold the header of one, if it were.")
    said = message(() -> TensorOxide.open_library(text, "built by Pkg"))
    @test occursin(text, said) && occursin("cannot be loaded", said) && occursin("Pkg.build", said)
    said = message(() -> TensorOxide.open_library(text, "environment variable TENSOROXIDE_LIBRARY"))
    @test occursin("unset", said)

    for (size, head) in ((0, UInt8[]), (3, UInt8[1, 2, 3]), (64, [b"MZ"; zeros(UInt8, 62)]),
                         (64, [b"MZ"; fill(0xff, 62)]))
        write(text, head)
        @test filesize(text) == size
        @test TensorOxide.machine_of(text) === nothing
        @test occursin("cannot be loaded", message(() -> TensorOxide.open_library(text, "artifact")))
    end

    # The header of a library for another processor, and of ones for other systems
    foreign = joinpath(folder, "foreign")
    elf = zeros(UInt8, 64)
    elf[1:4] = b"\x7fELF"
    elf[19] = Sys.ARCH == :aarch64 ? 0x3e : 0xb7
    mach = zeros(UInt8, 64)
    mach[1:8] = [0xcf, 0xfa, 0xed, 0xfe, 0x07, 0x00, 0x00, 0x01]
    pe = zeros(UInt8, 80)
    pe[1:2] = b"MZ"
    pe[61] = 64
    pe[65:70] = [b"PE\0\0"; 0x64; 0x86]
    for (head, machine) in ((elf, ("Linux", Sys.ARCH == :aarch64 ? "x86_64" : "aarch64")), (mach, ("macOS", "x86_64")),
                            (pe, ("Windows", "x86_64")))
        write(foreign, head)
        @test TensorOxide.machine_of(foreign) == machine
        machine == (Sys.isapple() ? "macOS" : Sys.iswindows() ? "Windows" : "Linux", string(Sys.ARCH)) && continue
        said = message(() -> TensorOxide.open_library(foreign, "built by Pkg"))
        @test occursin(join(machine, ' '), said) && occursin(string(Sys.ARCH), said) && occursin("Pkg.build", said)
    end
    @test TensorOxide.machine_of(LIBRARY)[2] == string(Sys.ARCH)

    other = first(path for path in dllist() if occursin("julia", basename(path)))
    @test occursin("no `tox_abi_version`", message(() -> TensorOxide.open_library(other, "artifact")))

    abi = TensorOxide.ABI_VERSION
    said = message(() -> TensorOxide.open_library(LIBRARY, "built by Pkg"; abi = abi + 1))
    @test occursin("speaks version $abi ", said) && occursin("version $(abi + 1)", said) && occursin("Pkg.build", said)
    @test TensorOxide.open_library(LIBRARY, "built by Pkg") == TensorOxide.LIBRARY[].handle
end

@testset "where the library is looked for" begin
    empty_package = mktempdir()
    withenv("TENSOROXIDE_LIBRARY" => nothing) do
        said = message(() -> TensorOxide.find_library(empty_package))
        @test occursin("not been built", said) && occursin("Pkg.build", said) && occursin("TENSOROXIDE_LIBRARY", said)
    end
    withenv("TENSOROXIDE_LIBRARY" => "") do         # as good as unset
        @test occursin("not been built", message(() -> TensorOxide.find_library(empty_package)))
    end
    withenv("TENSOROXIDE_LIBRARY" => joinpath(empty_package, "missing")) do
        said = message(() -> TensorOxide.find_library(PACKAGE))
        @test occursin(joinpath(empty_package, "missing"), said) && occursin("unset", said)
    end
    withenv("TENSOROXIDE_LIBRARY" => LIBRARY) do
        @test TensorOxide.find_library(empty_package) == (LIBRARY, "environment variable TENSOROXIDE_LIBRARY")
    end
    folder = TensorOxide.build_folder(empty_package, first(DEPOT_PATH))
    @test folder != TensorOxide.build_folder(mktempdir(), first(DEPOT_PATH))
    @test !startswith(folder, empty_package)
end

# ------------------------------------------------------------------------------------------ packages, depots, Julias

"A depot with an empty registry, which Pkg insists on."
function scratch_depot()
    depot = mktempdir()
    registry = mkpath(joinpath(depot, "registries", "Empty"))
    write(joinpath(registry, "Registry.toml"), """
        name = "Empty"
        uuid = "7f3c8a52-5d0e-4c3b-9a67-2f6a1e8d4b90"
        repo = ""
        [packages]
        """)
    return depot
end

"A copy of what Pkg needs of this package."
function scratch_package()
    package = mktempdir()
    for name in ("Project.toml", "Artifacts.toml", "src", "deps", "LICENSE-MIT", "LICENSE-APACHE")
        cp(joinpath(PACKAGE, name), joinpath(package, name))
    end
    rm(joinpath(package, "deps", "build.log"); force = true)
    mkpath(joinpath(package, "rust"))
    cp(joinpath(PACKAGE, "rust", "Cargo.toml"), joinpath(package, "rust", "Cargo.toml"))
    mkpath(joinpath(package, "rust", "capi"))
    cp(joinpath(PACKAGE, "rust", "capi", "include"), joinpath(package, "rust", "capi", "include"))
    chmod(package, 0o755; recursive = true)      # Pkg makes the files of an added package read-only
    return package
end

"A folder with everything on the PATH but Rust, to be the whole PATH."
function path_without_rust()
    folder = mktempdir()
    for from in split(ENV["PATH"], ':'; keepempty = false), name in (isdir(from) ? readdir(from) : String[])
        startswith(name, r"cargo|rust") || ispath(joinpath(folder, name)) || islink(joinpath(folder, name)) ||
            symlink(joinpath(from, name), joinpath(folder, name))
    end
    return folder
end

"Run a fresh Julia with these arguments, `depot` and environment; the exit status and all that it printed."
function julia(arguments, depot; environment...)
    # The trailing separator keeps Julia's own depots, where newer versions have the standard library compiled.
    settings = Dict{String,Any}("JULIA_DEPOT_PATH" => depot * (Sys.iswindows() ? ';' : ':'),
                                "JULIA_PKG_OFFLINE" => "true", "JULIA_LOAD_PATH" => nothing, "JULIA_PROJECT" => nothing,
                                "TENSOROXIDE_LIBRARY" => nothing, "CARGO" => nothing, "RUSTC" => nothing)
    foreach(pair -> settings[string(pair[1])] = pair[2], environment)
    output = IOBuffer()
    process = withenv(settings...) do
        command = ignorestatus(`$(Base.julia_cmd()) --startup-file=no $arguments`)
        run(pipeline(command; stdin = devnull, stdout = output, stderr = output))
    end
    return process.exitcode, String(take!(output))
end

"A copy of the package, and a depot and a project in which nothing is yet."
scratch() = (package = scratch_package(), depot = scratch_depot(), project = mktempdir())

"Let Pkg develop and build the package in a fresh Julia."
function build(at; environment...)
    code = "import Pkg; Pkg.develop(Pkg.PackageSpec(path = $(repr(at.package)))); " *
           "Pkg.build(\"TensorOxide\"; verbose = true)"
    return julia(`--project=$(at.project) -e $code`, at.depot; environment...)
end

"Load the package in a fresh Julia and compute with it; prints how the library was found, its path, and the result."
function use(at; environment...)
    code = "using TensorOxide; print(TensorOxide.LIBRARY[].found, '|', TensorOxide.library_path(), '|', " *
           "einsum(\"ij,jk->ik\", [1.0 2.0; 3.0 4.0], [1.0 0.0; 0.0 2.0]))"
    return julia(`--project=$(at.project) -e $code`, at.depot; environment...)
end

"Every file below `folder` with its size and time of change."
tree(folder) = [(joinpath(at, file), filesize(joinpath(at, file)), mtime(joinpath(at, file)))
                for (at, _, files) in walkdir(folder) for file in files]

if !Sys.iswindows()
    """
    A folder with a `cargo` and a `rustc` that stand in for the real ones: rustc has this version; cargo prints its
    arguments and environment, and either fails with this text or answers with the library that is loaded here.
    """
    function stand_in(; version = "1.99.0", failure = "")
        folder = mktempdir()
        built = joinpath(folder, basename(LIBRARY))
        cp(LIBRARY, built)
        host = string(Sys.ARCH, "-stand-in")
        write(joinpath(folder, "rustc"), "#!/bin/sh\necho 'rustc $version (stand-in)'\necho 'host: $host'\n")
        write(joinpath(folder, "failure"), failure, '\n')
        write(joinpath(folder, "cargo"), """
            #!/bin/sh
            echo "arguments: \$*" >&2
            echo "folder: \$PWD" >&2
            echo "library path: \${LD_LIBRARY_PATH:-none}" >&2
            """ * (isempty(failure) ? "echo '{\"filenames\":[\"$built\"]}'\n" :
                                      "cat '$folder/failure' >&2\nexit 101\n"))
        foreach(name -> chmod(joinpath(folder, name), 0o755), ("rustc", "cargo"))
        return folder
    end

    path = path_without_rust()
    with(folder) = string(folder, ':', path)

    @testset "what to do" begin
        @test occursin("Rust was not found", Cargo.objection(nothing))
        withenv("PATH" => path, "RUSTC" => nothing) do
            @test Cargo.objection(joinpath(stand_in(version = "1.999.0"), "cargo")) === nothing
            @test Cargo.objection(joinpath(stand_in(version = string(Cargo.least_rust())), "cargo")) === nothing
            said = Cargo.objection(joinpath(stand_in(version = "1.60.0"), "cargo"))
            @test occursin("needs Rust $(Cargo.least_rust())", said) && occursin("1.60.0", said)
            @test occursin("rustup update", said)
            @test occursin("does not run", Cargo.objection(joinpath(mktempdir(), "cargo")))
            # A PATH without cargo: where rustup puts it
            folder = stand_in()
            withenv("CARGO" => nothing, "CARGO_HOME" => dirname(folder)) do
                @test Cargo.find_cargo() === nothing
                home = mktempdir()
                symlink(folder, joinpath(home, "bin"))
                withenv(() -> @test(Cargo.find_cargo() == joinpath(home, "bin", "cargo")), "CARGO_HOME" => home)
            end
        end
        for (failure, remedy) in (("error: linker `cc` not found", "C compiler"),
                                  ("error: failed to download from the registry", "network"),
                                  ("error[E0463]: can't find crate for `std`", "rustup target add"),
                                  ("error: No space left on device (os error 28)", "Free some space"),
                                  ("error: something else", "what cargo complains about"))
            @test occursin(remedy, Cargo.remedy(failure))
            @test endswith(Cargo.remedy(failure), "verbose = true)`.")
        end
    end

    @testset "Pkg.build" begin
        at = scratch()
        # As Pkg installs packages: nobody may write there. (Pkg itself writes a log beside a developed package.)
        write(joinpath(at.package, "deps", "build.log"), "")
        before = filter(entry -> basename(entry[1]) != "build.log", tree(at.package))
        for (folder, folders, files) in walkdir(at.package; topdown = false), name in [files; folders]
            name == "build.log" || chmod(joinpath(folder, name), name in folders ? 0o555 : 0o444)
        end
        chmod(at.package, 0o555)

        # Without Rust and without an artifact: what to do, and how new it has to be
        code, said = build(at; PATH = path, CARGO_HOME = at.depot)
        @test occursin("Rust was not found", said) && occursin("rustup", said) && occursin("Pkg.build", said)
        code, said = use(at; PATH = path)
        @test code != 0 && occursin("not been built", said)
        # ... but it is precompiled, and so are packages that use it.
        @test any(endswith(file, ".ji") for (_, _, files) in walkdir(joinpath(at.depot, "compiled")) for file in files)
        users = mktempdir()
        write(joinpath(mkpath(joinpath(users, "User", "src")), "User.jl"), "module User\nusing TensorOxide\nend\n")
        compile = "push!(LOAD_PATH, $(repr(users))); Base.compilecache(Base.PkgId(\"User\")); print(\"compiled\")"
        code, said = julia(`--project=$(at.project) -e $compile`, at.depot; PATH = path)
        @test code == 0 && endswith(said, "compiled")

        failure = "error: linker `cc` not found"
        code, said = build(at; PATH = with(stand_in(failure = failure)))
        @test occursin("Its last lines:\n\narguments: ", said) && occursin("\n$failure\n", said)
        @test occursin("C compiler", said)

        code, said = build(at; PATH = with(stand_in()), LD_LIBRARY_PATH = "/nowhere")
        @test code == 0
        @test occursin("build --release --locked", said)
        @test occursin("library path: none", said)
        @test occursin("folder: " * realpath(joinpath(at.package, "rust")), said)
        code, said = use(at; PATH = path)
        @test code == 0
        found, where, product = split(said, '|')
        @test found == "built by Pkg" && startswith(where, at.depot) && product == "[1.0 4.0; 3.0 8.0]"

        # Building again with nothing changed leaves the library as it is; building in vain does not break it.
        stamp = stat(where).inode
        build(at; PATH = with(stand_in()))
        build(at; PATH = with(stand_in(failure = "error")))
        @test stat(where).inode == stamp
        # The environment variable comes first, and then nothing is built.
        code, said = use(at; PATH = path, TENSOROXIDE_LIBRARY = LIBRARY)
        @test startswith(said, "environment variable TENSOROXIDE_LIBRARY|$LIBRARY|")
        code, said = build(at; PATH = path, TENSOROXIDE_LIBRARY = LIBRARY)
        @test code == 0 && occursin("Nothing to build", said)

        @test filter(entry -> basename(entry[1]) != "build.log", tree(at.package)) == before
        foreach(((folder, _, _),) -> chmod(folder, 0o755), collect(walkdir(at.package)))
    end

    @testset "the artifact" begin
        at, downloads = scratch(), mktempdir()
        # The release is made in one depot and used in another, in which nothing but its archive can be found.
        script = joinpath(at.package, "deps", "release.jl")
        code, said = julia(`$script file://$downloads $downloads`, scratch_depot(); PATH = with(stand_in()))
        @test code == 0
        archive = only(readdir(downloads))
        @test occursin("v0.1.0", archive) && endswith(archive, ".tar.gz")
        entry = read(joinpath(at.package, "Artifacts.toml"), String)
        @test occursin("file://$downloads/$archive", entry)
        @test occursin(bytes2hex(open(sha256, joinpath(downloads, archive))), entry)
        @test occursin("os = \"$(Sys.isapple() ? "macos" : "linux")\"", entry)

        code, said = build(at; PATH = path, CARGO_HOME = at.depot)
        @test code == 0 && occursin("comes from the artifact", said)
        code, said = use(at; PATH = path)
        @test code == 0
        found, where, product = split(said, '|')
        @test found == "artifact" && startswith(where, joinpath(at.depot, "artifacts"))
        @test product == "[1.0 4.0; 3.0 8.0]"
        @test read(where) == read(LIBRARY)
    end
end

end
