# Builds the engine for this machine's platform, packs it as a Julia artifact, and enters it into an Artifacts.toml:
#
#     julia --project deps/release.jl URL [FOLDER [ARTIFACTS_TOML]]
#
# The archive is written to FOLDER (default: release/) and will be downloaded from URL followed by `/` and its name.
# ARTIFACTS_TOML (default: the package's) gets, or has replaced, the entry for this platform.
#
# The library needs a C library at least as new as this machine's: release from the oldest system that is supported, or
# from the recipe in build_tarballs.jl, which takes care of that.
module Release

import Pkg

include("cargo.jl")

function main(arguments)
    1 <= length(arguments) <= 3 || error("usage: julia --project deps/release.jl URL [FOLDER [ARTIFACTS_TOML]]")
    url = rstrip(arguments[1], '/')
    folder = get(arguments, 2, joinpath(PACKAGE, "release"))
    toml = get(arguments, 3, joinpath(PACKAGE, "Artifacts.toml"))

    cargo = find_cargo()
    no = objection(cargo)
    no === nothing || error(no)
    library = compile(cargo, joinpath(build_folder(PACKAGE, first(DEPOT_PATH)), "target"))

    version = match(r"^version *= *\"([^\"]+)\""m, read(joinpath(PACKAGE, "Project.toml"), String))[1]
    platform = artifact_platform(Pkg)
    archive = "TensorOxide.v$version.$(platform_name(Pkg, platform)).tar.gz"
    hash = Pkg.Artifacts.create_artifact() do root
        put(library, root, library_folder(), 0o755)
        put(joinpath(PACKAGE, "rust", "capi", "include", "tensoroxide.h"), root, "include", 0o644)
        for licence in ("LICENSE-MIT", "LICENSE-APACHE")
            put(joinpath(PACKAGE, licence), root, joinpath("share", "licenses", "TensorOxide"), 0o644)
        end
    end
    mkpath(folder)
    sha256 = Pkg.Artifacts.archive_artifact(hash, joinpath(folder, archive))
    Pkg.Artifacts.bind_artifact!(toml, "tensoroxide", hash; platform = platform,
                                 download_info = [("$url/$archive", sha256)], force = true)
    println("Packed ", joinpath(folder, archive), "\n  git-tree-sha1 ", hash, "\n  sha256        ", sha256,
            "\nEntered into ", toml)
end

"Copy `file` into the folder `where` of `root`."
function put(file, root, where, mode)
    to = joinpath(mkpath(joinpath(root, where)), basename(file))
    cp(file, to; follow_symlinks = true)
    chmod(to, mode)
end

end

Release.main(ARGS)
