import { Argument, Command, type Option } from 'commander'
import type { EndWith } from './program.js'
import type { Screen } from './screen.js'

const SHELLS = ['bash', 'zsh'] as const
type Shell = (typeof SHELLS)[number]

/** What a script has to know of a command; read from its definition, so that no list has to be kept. */
interface Known {
  readonly name: string
  readonly summary: string
  readonly options: readonly Option[]
  /** Words its first argument can be. */
  readonly words: readonly string[]
  readonly takesArguments: boolean
}

export function completionCommand(screen: Screen, _endWith: EndWith): Command {
  const target = new Command('completion')
    .description('a script that completes commands and options in your shell')
    .addArgument(new Argument('<shell>', 'your shell').choices(SHELLS))
    .addHelpText(
      'after',
      `
Examples:
  $ source <(callsight completion bash)                                  # this shell
  $ callsight completion bash >> ~/.bash_completion                      # every bash
  $ callsight completion zsh > "\${fpath[1]}/_callsight"                  # every zsh`,
    )
  return target.action((shell: Shell) => {
    const known = (target.parent?.commands ?? []).map(describe)
    screen.write(shell === 'bash' ? bashScript(known) : zshScript(known))
  })
}

function describe(command: Command): Known {
  return {
    name: command.name(),
    summary: command.description(),
    options: command.options.filter(({ hidden }) => !hidden),
    words: command.registeredArguments[0]?.argChoices ?? [],
    takesArguments: command.registeredArguments.length > 0,
  }
}

function takesFile({ flags }: Option): boolean {
  return /<(?:file|folder)>/.test(flags)
}

function bashScript(commands: readonly Known[]): string {
  const names = commands.map(({ name }) => name).join(' ')
  const values = commands.flatMap(({ name, options }) =>
    options.flatMap(option => {
      if (!option.required && !option.optional) return []
      const action = option.argChoices
        ? `COMPREPLY=($(compgen -W ${quoted(option.argChoices.join(' '))} -- "$current"))`
        : takesFile(option)
          ? 'compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -f -- "$current"))'
          : 'COMPREPLY=()'
      return [`    ${quoted(`${name} ${option.long}`)}) ${action}; return ;;`]
    }),
  )
  const words = commands.map(({ name, options, words: first }) => {
    const all = [...first, ...options.map(({ long }) => long ?? ''), '--help']
    return `    ${name}) words=${quoted(all.join(' '))} ;;`
  })
  return `# bash completion of callsight: source <(callsight completion bash)
_callsight() {
  local current="\${COMP_WORDS[COMP_CWORD]}" previous="\${COMP_WORDS[COMP_CWORD-1]}" command='' words='' i
  COMPREPLY=()
  for ((i = 1; i < COMP_CWORD; i++)); do
    if [[ " ${names} " == *" \${COMP_WORDS[i]} "* ]]; then command="\${COMP_WORDS[i]}"; break; fi
  done
  case "$command $previous" in
${values.join('\n')}
  esac
  case "$command" in
    '') words=${quoted(`${names} --help --version`)} ;;
${words.join('\n')}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -F _callsight callsight
`
}

function zshScript(commands: readonly Known[]): string {
  const list = commands.map(({ name, summary }) => `    ${quoted(`${name}:${summary}`)}`)
  const cases = commands.map(({ name, options, words, takesArguments }) => {
    const specs = options.map(option => {
      const colons = option.required ? ':' : '::'
      const value = !option.required && !option.optional ? '' : `${colons}value:${zshValues(option)}`
      return quoted(`${option.long}[${plain(option.description)}]${value}`)
    })
    // Without a place for them zsh offers nothing more behind an argument.
    const places = takesArguments
      ? [quoted(`*:argument:${words.length > 0 ? `(${words.join(' ')})` : ''}`)]
      : []
    return `      ${name}) _arguments ${[...places, ...specs, quoted('--help[what this command does]')].join(' ')} ;;`
  })
  return `#compdef callsight
# zsh completion of callsight: callsight completion zsh > "\${fpath[1]}/_callsight"
_callsight() {
  local -a commands
  commands=(
${list.join('\n')}
  )
  if (( CURRENT == 2 )) && [[ $PREFIX == -* ]]; then
    _arguments '--help[what there is]' '--version[which version this is]'
  elif (( CURRENT == 2 )); then
    _describe command commands
  else
    local command="\${words[2]}"
    shift words
    (( CURRENT-- ))
    case "$command" in
${cases.join('\n')}
    esac
  fi
}
if [[ "\${funcstack[1]}" == _callsight ]]; then _callsight "$@"; else compdef _callsight callsight; fi
`
}

function zshValues(option: Option): string {
  if (option.argChoices) return `(${option.argChoices.join(' ')})`
  return takesFile(option) ? '_files' : ''
}

/** Characters that mean something in a specification of _arguments. */
function plain(text: string): string {
  return text.replace(/[[\]:\\]/g, '\\$&')
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`
}
