; The hand-off stub of the Unicorn engine. ntdll's system call stubs `call [0x7ffe1000]` with the number in eax and the
; first argument in r10; it spills what the kernel needs to the thread's mailbox behind the TEB, so that the SYSCALL
; hook reads shared memory instead of registers, and picks the result up from there.
; Assemble: nasm -f bin (tests/unit/test_cpu_unicorn.py checks the bytes in handoff.py).
bits 64
MAILBOX equ 0x1f00
        mov     [gs:MAILBOX+0x00], rax
        mov     [gs:MAILBOX+0x08], r10
        mov     [gs:MAILBOX+0x10], rdx
        mov     [gs:MAILBOX+0x18], r8
        mov     [gs:MAILBOX+0x20], r9
        lea     rcx, [rsp+8]            ; rcx is the kernel's to destroy (syscall does)
        mov     [gs:MAILBOX+0x28], rcx
        syscall
        mov     rax, [gs:MAILBOX+0x30]
        ret
