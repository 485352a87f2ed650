; What C calls to call a Python function: assembled (nasm -f bin), it is callback.py's _CODE.
bits 64
default rel

enter:
    push rbx
    push r12
    sub rsp, 56                 ; the stack is aligned again, and calls of eight arguments find the last two at its top
    mov [rsp], r8
    mov [rsp + 8], r9
    mov [rsp + 16], rdi
    mov [rsp + 24], rsi
    mov [rsp + 32], rdx
    mov [rsp + 40], rcx
    call [ensure]
    mov ebx, eax
    mov rdi, [function]
    lea rsi, [format]
    mov rdx, [rsp + 16]
    mov rcx, [rsp + 24]
    mov r8, [rsp + 32]
    mov r9, [rsp + 40]
    xor eax, eax                ; variadic: no vector registers
    call [call_function]
    mov r12, rax
    test rax, rax
    jz .failed
    mov rdi, rax
    call [is_true]
    mov rdi, r12
    mov r12d, eax
    call [decrease]
.leave:
    mov edi, ebx
    call [release]
    mov eax, r12d
    add rsp, 56
    pop r12
    pop rbx
    ret
.failed:
    mov rdi, [function]
    call [unraisable]
    jmp .leave

    times 0xc0 - ($ - $$) int3
ensure: equ $$ + 0xc0           ; callback.py fills these in
call_function: equ ensure + 8
is_true: equ ensure + 16
decrease: equ ensure + 24
release: equ ensure + 32
unraisable: equ ensure + 40
function: equ ensure + 48
format: equ ensure + 56
