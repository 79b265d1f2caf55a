"builtin.module"() <{sym_name = "jit__lambda"}> ({
  "func.func"() <{arg_attrs = [{}], function_type = (tensor<4x8xf32>) -> (tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xi1>, tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>), res_attrs = [{jax.result_info = "result[0]"}, {jax.result_info = "result[1]"}, {jax.result_info = "result[2]"}, {jax.result_info = "result[3]"}, {jax.result_info = "result[4]"}, {jax.result_info = "result[5]"}, {jax.result_info = "result[6]"}, {jax.result_info = "result[7]"}, {jax.result_info = "result[8]"}, {jax.result_info = "result[9]"}, {jax.result_info = "result[10]"}, {jax.result_info = "result[11]"}, {jax.result_info = "result[12]"}, {jax.result_info = "result[13]"}, {jax.result_info = "result[14]"}, {jax.result_info = "result[15]"}, {jax.result_info = "result[16]"}, {jax.result_info = "result[17]"}, {jax.result_info = "result[18]"}, {jax.result_info = "result[19]"}, {jax.result_info = "result[20]"}], sym_name = "main", sym_visibility = "public"}> ({
  ^bb0(%arg1: tensor<4x8xf32>):
    %1 = "stablehlo.negate"(%arg1) : (tensor<4x8xf32>) -> tensor<4x8xf32>
    %2 = "stablehlo.sign"(%arg1) : (tensor<4x8xf32>) -> tensor<4x8xf32>
    %3 = "stablehlo.exponential"(%arg1) : (tensor<4x8xf32>) -> tensor<4x8xf32>
    %4 = "stablehlo.abs"(%arg1) : (tensor<4x8xf32>) -> tensor<4x8xf32>
    %5 = "stablehlo.log"(%4) : (tensor<4x8xf32>) -> tensor<4x8xf32>
    %6 = "stablehlo.abs"(%arg1) : (tensor<4x8xf32>) -> tensor<4x8xf32>
    %7 = "stablehlo.sqrt"(%6) : (tensor<4x8xf32>) -> tensor<4x8xf32>
    %8 = "stablehlo.abs"(%arg1) : (tensor<4x8xf32>) -> tensor<4x8xf32>
    %9 = "stablehlo.rsqrt"(%8) : (tensor<4x8xf32>) -> tensor<4x8xf32>
    %10 = "stablehlo.sine"(%arg1) : (tensor<4x8xf32>) -> tensor<4x8xf32>
    %11 = "stablehlo.cosine"(%arg1) : (tensor<4x8xf32>) -> tensor<4x8xf32>
    %12 = "stablehlo.tanh"(%arg1) : (tensor<4x8xf32>) -> tensor<4x8xf32>
    %13 = "stablehlo.negate"(%arg1) : (tensor<4x8xf32>) -> tensor<4x8xf32>
    %14 = "stablehlo.exponential"(%13) : (tensor<4x8xf32>) -> tensor<4x8xf32>
    %15 = "stablehlo.constant"() <{value = dense<1.000000e+00> : tensor<f32>}> : () -> tensor<f32>
    %16 = "stablehlo.broadcast_in_dim"(%15) <{broadcast_dimensions = array<i64>}> : (tensor<f32>) -> tensor<4x8xf32>
    %17 = "stablehlo.add"(%16, %14) : (tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32>
    %18 = "stablehlo.constant"() <{value = dense<1.000000e+00> : tensor<f32>}> : () -> tensor<f32>
    %19 = "stablehlo.broadcast_in_dim"(%18) <{broadcast_dimensions = array<i64>}> : (tensor<f32>) -> tensor<4x8xf32>
    %20 = "stablehlo.divide"(%19, %17) : (tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32>
    %21 = "stablehlo.constant"() <{value = dense<3.000000e+00> : tensor<f32>}> : () -> tensor<f32>
    %22 = "stablehlo.broadcast_in_dim"(%21) <{broadcast_dimensions = array<i64>}> : (tensor<f32>) -> tensor<4x8xf32>
    %23 = "stablehlo.multiply"(%arg1, %22) : (tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32>
    %24 = "stablehlo.floor"(%23) : (tensor<4x8xf32>) -> tensor<4x8xf32>
    %25 = "stablehlo.constant"() <{value = dense<3.000000e+00> : tensor<f32>}> : () -> tensor<f32>
    %26 = "stablehlo.broadcast_in_dim"(%25) <{broadcast_dimensions = array<i64>}> : (tensor<f32>) -> tensor<4x8xf32>
    %27 = "stablehlo.multiply"(%arg1, %26) : (tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32>
    %28 = "stablehlo.ceil"(%27) : (tensor<4x8xf32>) -> tensor<4x8xf32>
    %29 = "stablehlo.constant"() <{value = dense<3.000000e+00> : tensor<f32>}> : () -> tensor<f32>
    %30 = "stablehlo.broadcast_in_dim"(%29) <{broadcast_dimensions = array<i64>}> : (tensor<f32>) -> tensor<4x8xf32>
    %31 = "stablehlo.multiply"(%arg1, %30) : (tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32>
    %32 = "func.call"(%31) <{callee = @round}> : (tensor<4x8xf32>) -> tensor<4x8xf32>
    %33 = "stablehlo.constant"() <{value = dense<3.000000e+00> : tensor<f32>}> : () -> tensor<f32>
    %34 = "stablehlo.broadcast_in_dim"(%33) <{broadcast_dimensions = array<i64>}> : (tensor<f32>) -> tensor<4x8xf32>
    %35 = "stablehlo.multiply"(%arg1, %34) : (tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32>
    %36 = "stablehlo.round_nearest_afz"(%35) : (tensor<4x8xf32>) -> tensor<4x8xf32>
    %37 = "stablehlo.is_finite"(%arg1) : (tensor<4x8xf32>) -> tensor<4x8xi1>
    %38 = "stablehlo.exponential_minus_one"(%arg1) : (tensor<4x8xf32>) -> tensor<4x8xf32>
    %39 = "stablehlo.abs"(%arg1) : (tensor<4x8xf32>) -> tensor<4x8xf32>
    %40 = "stablehlo.log_plus_one"(%39) : (tensor<4x8xf32>) -> tensor<4x8xf32>
    %41 = "stablehlo.abs"(%arg1) : (tensor<4x8xf32>) -> tensor<4x8xf32>
    %42 = "chlo.erf"(%arg1) : (tensor<4x8xf32>) -> tensor<4x8xf32>
    %43 = "stablehlo.cbrt"(%arg1) : (tensor<4x8xf32>) -> tensor<4x8xf32>
    %44 = "stablehlo.tan"(%arg1) : (tensor<4x8xf32>) -> tensor<4x8xf32>
    "func.return"(%1, %2, %3, %5, %7, %9, %10, %11, %12, %20, %24, %28, %32, %36, %37, %38, %40, %41, %42, %43, %44) : (tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xi1>, tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>) -> ()
  }) : () -> ()
  "func.func"() <{arg_attrs = [{}], function_type = (tensor<4x8xf32>) -> tensor<4x8xf32>, res_attrs = [{}], sym_name = "round", sym_visibility = "private"}> ({
  ^bb0(%arg0: tensor<4x8xf32>):
    %0 = "stablehlo.round_nearest_even"(%arg0) : (tensor<4x8xf32>) -> tensor<4x8xf32>
    "func.return"(%0) : (tensor<4x8xf32>) -> ()
  }) : () -> ()
}) {mhlo.num_partitions = 1 : i32, mhlo.num_replicas = 1 : i32} : () -> ()
