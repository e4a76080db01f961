# What `make` does before it runs anything: let Pkg resolve the project and build the engine, and fail if that fails.
import Pkg
using Logging

# Julia 1.5 only logs the failure of a build.
complaints = IOBuffer()
with_logger(SimpleLogger(complaints, Logging.Error)) do
    Pkg.instantiate()
    Pkg.build(; verbose = true)
end
if position(complaints) > 0
    write(stderr, take!(complaints))
    exit(1)
end
