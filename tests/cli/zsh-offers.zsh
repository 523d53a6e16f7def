# What an interactive zsh offers when Tab is pressed behind a command line: zsh -f zsh-offers.zsh '<line>'
# Run it in the folder of the completion script. One match a line, as it would be inserted.
zmodload zsh/zpty
zpty shell zsh -f -i
setup=$(mktemp)
cat > $setup <<'RC'
PROMPT=
autoload -U compinit && compinit -u -D
source ./_callsight
zstyle ':completion:*' list-prompt ''
# Every match goes through compadd; with -A, -D or -O it only fills an array.
compadd() {
  if [[ ${@[1,(i)(-|--)]} == *-(A|D|O)* ]]; then builtin compadd "$@"; return; fi
  local -a offered
  builtin compadd -A offered "$@"
  (( $#offered )) && print -rl -- "offered:"${^offered}
  # Nothing is inserted, so nothing is redrawn.
  return $(( $#offered == 0 ))
}
after() { print -r -- offers-end }
offer() { zle complete-word; after; exit }
zle -C complete-word complete-word _main_complete
zle -N offer
bindkey '^I' offer
print -r -- setup-done
RC
zpty -w shell "source $setup"
zpty -r -m shell output $'*setup-done\r*' || { print -u2 "no shell: $output"; exit 1 }
zpty -w -n shell "$1"$'\t'
zpty -r -m shell output '*offers-end*' || { print -u2 "no answer: $output"; exit 1 }
rm -f $setup
for line in ${(f)output}; do
  [[ $line == *offered:* ]] && print -r -- ${${line##*offered:}%$'\r'}
done
zpty -d shell
exit 0
