! Loads a model and scores one environment, through the C interface:
!   gfortran score.f90 -o score -L... -llpr_fast -lstdc++ -lgomp && ./score model.lpr
program score
    use, intrinsic :: iso_c_binding
    implicit none

    interface
        integer(c_int) function lpr_fast_load(path, model) bind(c)
            import
            character(kind=c_char), intent(in) :: path(*)
            type(c_ptr), intent(out) :: model
        end function
        subroutine lpr_fast_free(model) bind(c)
            import
            type(c_ptr), value :: model
        end subroutine
        integer(c_ptrdiff_t) function lpr_fast_n_features(model) bind(c)
            import
            type(c_ptr), value :: model
        end function
        integer(c_int) function lpr_fast_species(model, place) bind(c)
            import
            type(c_ptr), value :: model
            integer(c_ptrdiff_t), value :: place
        end function
        integer(c_int) function lpr_fast_score(model, features, n, stride, species, lpr, variance, residual, energy, &
                                               n_threads) bind(c)
            import
            type(c_ptr), value :: model
            integer(c_ptrdiff_t), value :: n, stride
            real(c_double), intent(in) :: features(*)
            integer(c_int), intent(in) :: species(*)
            real(c_double), intent(out), optional :: lpr(*), variance(*), residual(*), energy(*)
            integer(c_int), value :: n_threads
        end function
    end interface

    character(len=500) :: path
    type(c_ptr) :: model
    integer(c_ptrdiff_t) :: n_features
    real(c_double), allocatable :: features(:, :)  ! one column for each environment
    integer(c_int) :: species(1)
    real(c_double) :: lpr(1)

    call get_command_argument(1, path)
    if (lpr_fast_load(trim(path)//c_null_char, model) /= 0) error stop "the model cannot be read"
    n_features = lpr_fast_n_features(model)
    allocate (features(n_features, 1))
    features = 1
    species = lpr_fast_species(model, 0_c_ptrdiff_t)
    if (lpr_fast_score(model, features, 1_c_ptrdiff_t, n_features, species, lpr, n_threads=0) /= 0) error stop "not scored"
    print *, "LPR =", lpr(1)
    call lpr_fast_free(model)
end program
