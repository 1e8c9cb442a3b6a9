# bash complete.bash SCRIPT LINE...: what the script offers for each line, after "== LINE".
# A line is cut into words as bash cuts it: at blanks, and at equals signs.
source "$1"
shift
for line in "$@"; do
  echo "== $line"
  spaced=${line//=/ = }
  read -ra COMP_WORDS <<<"$spaced"
  # What ends in a blank has an empty word at the cursor.
  if [[ $line == *" " ]]; then COMP_WORDS+=(""); fi
  COMP_CWORD=$((${#COMP_WORDS[@]} - 1)) COMPREPLY=()
  "$(complete -p nodens | sed 's/.*-F \([^ ]*\) .*/\1/')"
  for word in "${COMPREPLY[@]}"; do printf '%s\n' "$word"; done
done
