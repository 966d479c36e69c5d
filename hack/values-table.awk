# Prints the table of a chart's values from its values.yaml: every key whose comment begins with `# --`.
# Keys are nested by two spaces; a documented value stands on its key's line, which keeps the defaults short enough
# for a table.
function cell(text) { gsub(/\|/, "\\|", text); return text }

BEGIN {
  print "| Value | Default | Meaning |"
  print "|---|---|---|"
}
/^ *# -- / { sub(/^ *# -- /, ""); comment = $0; next }
/^ *#/ { if (comment != "") { sub(/^ *# ?/, ""); comment = comment " " $0 } next }
/^ *[A-Za-z]+:/ {
  depth = match($0, /[^ ]/) - 1
  key = $0; sub(/^ */, "", key); sub(/:.*/, "", key)
  value = $0; sub(/^ *[A-Za-z]+: */, "", value)
  level = depth / 2
  path[level] = key
  name = path[0]
  for (i = 1; i <= level; i++) name = name "." path[i]
  if (comment != "") {
    if (value == "") { print "values.yaml: " name " has a comment, but no value on its line" > "/dev/stderr"; failed = 1 }
    print "| `" name "` | `" cell(value) "` | " cell(comment) " |"
  } else if (value != "") { print "values.yaml: " name " has no comment that begins with `# --`" > "/dev/stderr"; failed = 1 }
  comment = ""
}
END { exit failed }
