# Reads JSON text (RFC 8259) into dictionaries, vectors, strings, numbers, Bools and nothing. Julia has no standard
# library for it, and the benchmark takes no package.

"The value that the JSON `text` stands for."
function parse_json(text::AbstractString)
    value, at = json_value(text, skip_space(text, firstindex(text)))
    skip_space(text, at) > lastindex(text) || json_error(text, at)
    return value
end

# Each function below takes the place where its value begins and returns the value and the place after it.
function json_value(text, at)
    at <= lastindex(text) || json_error(text, at)
    c = text[at]
    c == '{' && return json_object(text, at)
    c == '[' && return json_list(text, at)
    c == '"' && return json_string(text, at)
    for (word, value) in (("true", true), ("false", false), ("null", nothing))
        startswith(SubString(text, at), word) && return value, at + ncodeunits(word)
    end
    return json_number(text, at)
end

function json_object(text, at)
    pairs, at = json_list(text, at, '}') do text, at
        key, at = json_string(text, at)
        at = skip_space(text, at)
        at <= lastindex(text) && text[at] == ':' || json_error(text, at)
        value, at = json_value(text, skip_space(text, nextind(text, at)))
        return key => value, at
    end
    return Dict{String,Any}(pairs), at
end

json_list(text, at) = json_list(json_value, text, at, ']')
function json_list(item, text, at, close)
    items = Any[]
    at = skip_space(text, nextind(text, at))
    at <= lastindex(text) && text[at] == close && return items, nextind(text, at)
    while true
        value, at = item(text, at)
        push!(items, value)
        at = skip_space(text, at)
        at <= lastindex(text) && text[at] in (',', close) || json_error(text, at)
        text[at] == close && return items, nextind(text, at)
        at = skip_space(text, nextind(text, at))
    end
end

const JSON_STRING = r"\G\"((?:[^\"\\]|\\.)*)\""
const JSON_ESCAPES = Dict('b' => "\b", 'f' => "\f", 'n' => "\n", 'r' => "\r", 't' => "\t")
function json_string(text, at)
    found = match(JSON_STRING, text, at)
    found === nothing && json_error(text, at)
    raw = found.captures[1]
    value = replace(raw, r"\\(u[0-9a-fA-F]{4}|.)" => s -> startswith(s, "\\u") ?
        string(Char(parse(UInt16, s[3:end]; base = 16))) : get(JSON_ESCAPES, s[2], string(s[2])))
    return value, at + ncodeunits(raw) + 2
end

const JSON_NUMBER = r"\G-?\d+(\.\d+)?([eE][-+]?\d+)?"
function json_number(text, at)
    found = match(JSON_NUMBER, text, at)
    found === nothing && json_error(text, at)
    number = found.match
    whole = found.captures[1] === nothing && found.captures[2] === nothing
    return (whole ? parse(Int, number) : parse(Float64, number)), at + ncodeunits(number)
end

function skip_space(text, at)
    while at <= lastindex(text) && isspace(text[at])
        at = nextind(text, at)
    end
    return at
end

json_error(text, at) = error("not JSON near byte $at of $(ncodeunits(text))")
