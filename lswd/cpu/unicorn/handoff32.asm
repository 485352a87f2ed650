; The hand-off stub of the Unicorn engine for 32-bit guests. ntdll's system call stubs call a thunk, which jumps through
; __wine_syscall_dispatcher to here, with the number in eax and all arguments on the stack: behind the return addresses
; of the stub and of its caller. The mailbox is that of handoff64.asm, with only the number, the stack and the result.
; Assemble: nasm -f bin (tests/unit/test_cpu_unicorn32.py checks the bytes in handoff.py).
bits 32
MAILBOX equ 0x1f00
        mov     [fs:MAILBOX+0x00], eax
        lea     ecx, [esp+4]            ; ecx is the kernel's to destroy
        mov     [fs:MAILBOX+0x28], ecx
        syscall
        mov     eax, [fs:MAILBOX+0x30]
        ret
